#!/usr/bin/env python3
"""A client for check_stream_accept: shakes hands as told, sends, expects the echo.

Reads lines of "PORT CA_FILE SNI|- MANNER" and answers each by one line that
tells what came of it, until its standard input ends.

Manners: v12 v13 (that TLS version), h2 (offers h2 alone), h2+h1 (both, h2 first),
h1, notify (ends by close_notify), cut (by FIN alone), much (1 MiB each way)."""

import socket
import ssl
import sys


def context(ca_file, sni, manner):
    c = ssl.create_default_context(cafile=ca_file)
    c.check_hostname = sni != "-"
    c.verify_flags |= ssl.VERIFY_X509_STRICT
    if manner == "v12":
        c.maximum_version = ssl.TLSVersion.TLSv1_2
    elif manner == "v13":
        c.minimum_version = ssl.TLSVersion.TLSv1_3
    elif manner.startswith("h"):
        c.set_alpn_protocols({"h2": ["h2"], "h1": ["http/1.1"], "h2+h1": ["h2", "http/1.1"]}[manner])
    return c


def take(s, wanted):
    got = b""
    while len(got) < wanted:
        more = s.recv(65536)
        if not more:
            break
        got += more
    return got


def talk(s, manner):
    message = bytes(range(256)) * 4096 if manner == "much" else b"order"
    s.sendall(message)
    if take(s, len(message)) != message:
        return "broken"
    if manner == "notify":
        s.unwrap()
    elif manner == "cut":
        end_abruptly(s)
    return "ok"


def end_abruptly(s):
    raw = socket.socket(fileno=s.detach())
    raw.settimeout(20)
    raw.shutdown(socket.SHUT_WR)
    raw.recv(1)


def call(port, ca_file, sni, manner):
    try:
        raw = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
        name = None if sni == "-" else sni
        with context(ca_file, sni, manner).wrap_socket(raw, server_hostname=name) as line:
            version, alpn = line.version(), line.selected_alpn_protocol()
            return f"{talk(line, manner)} {version} {alpn or '-'}"
    except (ssl.SSLError, OSError) as error:
        return "failed " + str(error).upper().replace(" ", "_").replace("\n", "_")


for wish in sys.stdin:
    print(call(*wish.split()), flush=True)
