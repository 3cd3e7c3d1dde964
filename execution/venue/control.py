"""The control port of a faulty venue: rules in, out and listed by HTTP. On loopback only, with a token that stands in a
file which only its owner can read. It changes what goes wrong, never an account by itself."""

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from execution.runtime.files import write_atomically
from execution.venue.fault_script import TEXT_MAX_BYTES, as_row, parse_rules
from execution.venue.faults import Faults, Rule
from execution.vocabulary.exit_codes import ConfigError

CONTROL_NAME = "control.json"
LOOPBACK = "127.0.0.1"
CLOSE_WITHIN_S = 1.0


class ControlPort:
    """GET, POST and DELETE /faults, DELETE /faults/N."""

    def __init__(self, faults: Faults, folder: Path, find_wrong: Callable[[Rule], str | None] | None = None) -> None:
        """`find_wrong` says what is wrong with a rule that the venue can't ever follow."""
        self.file = folder / CONTROL_NAME
        self._faults = faults
        self._find_wrong = find_wrong or (lambda _rule: None)
        self._token = secrets.token_hex(32)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self, port: int = 0) -> int:
        """Listen, and write where and with which token; the port. Raises OSError."""
        application = web.Application(client_max_size=TEXT_MAX_BYTES, middlewares=[self._admit])
        application.router.add_get("/faults", self._list)
        application.router.add_post("/faults", self._add)
        application.router.add_delete("/faults", self._clear)
        application.router.add_delete("/faults/{number:[0-9]{1,9}}", self._remove)
        self._runner = runner = web.AppRunner(
            application, handle_signals=False, access_log=None, shutdown_timeout=CLOSE_WITHIN_S
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
            self._port = int(runner.addresses[0][1])
            write_atomically(self.file, orjson.dumps({"port": self._port, "token": self._token}))
        except OSError:
            await self.stop()
            raise
        return self._port

    async def stop(self) -> None:
        """Close the door and take the token away."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self.file.unlink(missing_ok=True)
            await runner.cleanup()

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A web page that reaches us under another name, or without the token, gets nothing."""
        if request.host not in (f"{LOOPBACK}:{self._port}", f"localhost:{self._port}"):
            return _reply({"problem": "wrong Host"}, 403)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return _reply({"problem": "a wrong token, or none; it stands in the control file"}, 401)
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            return _reply({"problem": refusal.reason}, refusal.status)

    async def _list(self, _request: web.Request) -> web.Response:
        rows = [_shown(number, rule, happened) for number, rule, happened in self._faults.rules()]
        return _reply({"faults": rows, "happened": len(self._faults.happened)})

    async def _add(self, request: web.Request) -> web.Response:
        try:
            rules = parse_rules(await request.read(), "request")
            for number, rule in enumerate(rules, 1):
                if wrong := self._find_wrong(rule):
                    raise ConfigError(f"request: rule {number}: {wrong}" if len(rules) > 1 else f"request: {wrong}")
            numbers = [self._faults.add(rule) for rule in rules]
        except (ConfigError, ValueError) as error:
            return _reply({"problem": str(error)}, 400)
        return _reply({"numbers": numbers})

    async def _clear(self, _request: web.Request) -> web.Response:
        return _reply({"removed": self._faults.remove()})

    async def _remove(self, request: web.Request) -> web.Response:
        removed = self._faults.remove(int(request.match_info["number"]))
        return _reply({"removed": removed}) if removed else _reply({"problem": "there is no such fault"}, 404)


def _shown(number: int, rule: Rule, happened: int) -> dict[str, object]:
    return {"number": number, **as_row(rule), "happened": happened}


def _reply(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
