"""Whatever an exchange writes into its errors, over a real line: by its numbers it is known what kind of trouble it is;
its words change nothing."""

import asyncio

from aiohttp import web

from execution.exchange.classify import VenueError
from execution.exchange.endpoint import Endpoint, build_client
from execution.runtime.clock import SystemClock
from execution.runtime.errors import describe
from execution.vocabulary.issues import IssueType
from tests.injected import TEXTS

CODES = {-1000: IssueType.UNKNOWN, -1021: IssueType.CLOCK, -2015: IssueType.AUTH}


def test_an_exchanges_words_never_change_what_its_numbers_say() -> None:
    answer = {"code": 0, "msg": ""}

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response(answer, status=400)

    async def scene() -> None:
        application = web.Application()
        application.router.add_route("*", "/{any:.*}", refuse)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        client = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), None, SystemClock())
        try:
            for code, kind in CODES.items():
                for text in TEXTS:
                    answer.update(code=code, msg=text)
                    try:
                        await client.call("publicGetTime")
                    except VenueError as error:
                        told = describe(error)
                        assert (error.issue_type, told.context, told.issue) == (kind, {"code": str(code)}, kind)
                        assert told.message.isprintable() and told.template.isprintable()
                    else:
                        raise AssertionError("refused, and taken for an answer")
        finally:
            await client.close()
            await runner.cleanup()

    asyncio.run(scene())
