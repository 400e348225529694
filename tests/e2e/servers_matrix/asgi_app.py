# SPDX-License-Identifier: Apache-2.0
"""For uvicorn: asgi_app:app. Answers chunked: it names no length."""


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    digit = int(scope["path"][-1])
    status = 200 if digit < 6 else 404 if digit < 9 else 500
    await send({"type": "http.response.start", "status": status, "headers": []})
    body = b"you asked for " + scope["path"].encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"\n"})
