"""Listens where the API or the sandbox would."""

import os
import socket
import sys

role, *options = sys.argv[1:]
port = int(options[options.index("--port") + 1] if role == "sandbox" else os.environ["LINLI_HTTP_PORT"])
server = socket.create_server(("127.0.0.1", port))
while True:
    connection, _ = server.accept()
    connection.close()
