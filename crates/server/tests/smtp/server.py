"""A mail server that takes everything, but for recipients whose names ask for something else:

later-N…   451 at the first N tries
gone…      550, always
refused…   554 after the whole mail
dies…      takes the mail and closes the connection without an answer, the first time
drops…     closes the connection before the mail, the first time
"""

import asyncio
import json
import re
import sys
from collections import Counter
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP


class Handler:
    def __init__(self, mailbox):
        self.mailbox = mailbox
        self.tries = Counter()

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tries[address] += 1
        later = re.match(r"later-(\d+)", address)
        if later and self.tries[address] <= int(later[1]):
            return "451 4.7.1 Greylisted, try again later"
        if address.startswith("gone"):
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        if address.startswith("refused"):
            return "554 5.7.1 Not wanted"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        kept = {
            "to": address,
            "from": envelope.mail_from,
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "text": mail.get_body(("plain",)).get_content(),
            "html": mail.get_body(("html",)).get_content(),
        }
        self.mailbox.write(json.dumps(kept) + "\n")
        self.mailbox.flush()
        if address.startswith("dies") and self.tries[address] == 1:
            server.transport.abort()
            return "250 never heard"
        return "250 2.0.0 OK"


class Server(SMTP):
    async def smtp_DATA(self, arg):
        address = self.envelope.rcpt_tos[0] if self.envelope.rcpt_tos else ""
        if address.startswith("drops") and self.event_handler.tries[address] == 1:
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


async def main():
    with open(sys.argv[1], "a", encoding="utf-8") as mailbox:
        handler = Handler(mailbox)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Server(handler, hostname="mail.test", loop=loop), "127.0.0.1", 0
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
