"""The two yardsticks: Tornado handlers that do nothing but write bytes, or run one statement.

``python -m tests.load.bare PLAN`` where PLAN is a JSON file: ``database_url``, ``pool_size``, and
for each of ``endpoints`` its ``content``, ``sql``, ``arguments`` and ``column``. It prints the port
it listens on.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from mentorapi.database.connections import open_pool


class Static(RequestHandler):
    """(a) the same bytes from memory."""

    def initialize(self, content: bytes) -> None:
        self.content = content

    def get(self) -> None:
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.write(self.content)


class Statement(RequestHandler):
    """(b) the same SQL text, and its row. A POST brings its arguments as a JSON list."""

    def initialize(self, pool: Any, sql: str, arguments: list[Any], column: str) -> None:
        self.pool, self.sql, self.arguments, self.column = pool, sql, arguments, column

    async def get(self) -> None:
        await self.run(self.arguments)

    async def post(self) -> None:
        await self.run([typed(value) for value in orjson.loads(self.request.body)])

    async def run(self, arguments: list[Any]) -> None:
        connection = await self.pool.acquire()
        try:
            row = await connection.fetchrow(self.sql, *arguments)
        finally:
            self.pool.release(connection)
        if row is None:
            self.set_status(409)
            return
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.write(str(row[self.column]).encode())


def typed(value: Any) -> Any:
    """Instants as asyncpg wants them."""
    if isinstance(value, str) and len(value) == 25 and value.endswith("+00:00"):
        return datetime.fromisoformat(value)
    return value


async def main(plan: dict[str, Any]) -> None:
    pool = await open_pool(plan["database_url"], plan["pool_size"])
    routes: list[Any] = []
    for place, endpoint in enumerate(plan["endpoints"]):
        content = endpoint.pop("content").encode()
        endpoint["arguments"] = [typed(value) for value in endpoint["arguments"]]
        routes.append((f"/static/{place}", Static, {"content": content}))
        routes.append((f"/sql/{place}", Statement, {"pool": pool, **endpoint}))
    server = HTTPServer(Application(routes, log_function=lambda handler: None))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(orjson.loads(Path(sys.argv[1]).read_bytes())))
