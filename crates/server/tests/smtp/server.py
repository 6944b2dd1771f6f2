"""A mail server that takes everything, but for recipients whose names ask for something else:

later-N…   451 at the first N tries
gone…      550, always
refused…   554 after the whole mail
dies…      takes the mail and closes the connection without an answer, the first time
drops…     closes the connection before the mail, the first time

and but for what the file beside the mailbox says that is named like it with ".script": a JSON object,
read again for every command, with a reply to "mail", "rcpt", "data" and "content" in place of the usual
one (of "rcpt" also an object of replies by address), "auth" in place of an accepted password, and
"smtputf8": false to offer no SMTPUTF8.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, mailbox, script):
        self.mailbox = mailbox
        self.script_path = script
        self.tries = Counter()

    def script(self):
        try:
            with open(self.script_path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        if self.script().get("smtputf8") is False:
            responses = [line for line in responses if "SMTPUTF8" not in line]
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        if reply := self.script().get("mail"):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tries[address] += 1
        reply = self.script().get("rcpt")
        if isinstance(reply, dict):
            reply = reply.get(address)
        if reply:
            return reply
        later = re.match(r"later-(\d+)", address)
        if later and self.tries[address] <= int(later[1]):
            return "451 4.7.1 Greylisted, try again later"
        if address.startswith("gone"):
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        if reply := self.script().get("content"):
            return reply
        if address.startswith("refused"):
            return "554 5.7.1 Not wanted"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        kept = {
            "to": address,
            "from": envelope.mail_from,
            "options": envelope.mail_options,
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

    def authenticate(self, server, session, envelope, mechanism, data):
        reply = self.script().get("auth")
        return AuthResult(success=not reply, handled=False, message=reply)


class Server(SMTP):
    async def smtp_DATA(self, arg):
        address = self.envelope.rcpt_tos[0] if self.envelope.rcpt_tos else ""
        if address.startswith("drops") and self.event_handler.tries[address] == 1:
            self.transport.abort()
            return
        if reply := self.event_handler.script().get("data"):
            await self.push(reply)
            return
        await super().smtp_DATA(arg)


async def main():
    with open(sys.argv[1], "a", encoding="utf-8") as mailbox:
        handler = Handler(mailbox, sys.argv[1] + ".script")
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Server(
                handler,
                hostname="mail.test",
                loop=loop,
                enable_SMTPUTF8=True,
                authenticator=handler.authenticate,
                auth_require_tls=False,
            ),
            "127.0.0.1",
            0,
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
