# SPDX-License-Identifier: Apache-2.0
"""For gunicorn: wsgi_app:app"""

STATUS = {200: "200 OK", 404: "404 Not Found", 500: "500 Internal Server Error"}


def app(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    path = environ["PATH_INFO"]
    digit = int(path[-1])
    body = f"you asked for {path}\n".encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response(STATUS[200 if digit < 6 else 404 if digit < 9 else 500], headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
