"""Sends with Segment's SDK for Python, as an app would."""

import os
import time
from datetime import datetime, timedelta, timezone

from segment import analytics

user = os.environ["USER"]
start = datetime.fromtimestamp(int(os.environ["START"]), timezone.utc)


def timestamp(second):
    return start + timedelta(seconds=second)


analytics.write_key = os.environ["WRITE_KEY"]
analytics.host = os.environ["URL"]
analytics.gzip = True
analytics.upload_size = 10
analytics.upload_interval = 0.2
analytics.max_retries = 20

analytics.identify(user, {"name": "Ada", "email": "ada@example.com"}, timestamp=timestamp(0))
analytics.group(user, "acme", {"name": "Acme"}, timestamp=timestamp(1))
analytics.page(user, name="Docs", properties={"path": "/docs"}, timestamp=timestamp(2))
for number in range(int(os.environ["COUNT"])):
    analytics.track(user, f"Made {number}", {"number": number}, timestamp=timestamp(10 + number))
    time.sleep(int(os.environ["PAUSE"]) / 1000)
analytics.shutdown()
