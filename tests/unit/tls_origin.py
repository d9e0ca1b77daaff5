#!/usr/bin/env python3
"""Origins for check_stream_tls, each on a port of its own, some of them ill.

Usage: tls_origin.py DIR. Makes certificates in DIR, prints "NAME PORT" for each
origin, then "ready", and serves until its standard input ends."""

import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

DIR = sys.argv[1]
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def path(name):
    return os.path.join(DIR, name)


def openssl(*args):
    subprocess.run(("openssl",) + args, check=True, cwd=DIR, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_key(name, kind="ec"):
    if kind == "ec":
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name + ".key")
    else:
        openssl("genrsa", "-out", name + ".key", "2048")


def make_ca(name):
    make_key(name)
    openssl("req", "-x509", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-days", "30",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign",
            "-out", name + ".pem")


def make_cert(name, ca, names, days="30", kind="ec"):
    make_key(name, kind)
    openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=origin", "-out", name + ".csr")
    with open(path(name + ".ext"), "w") as ext:
        ext.write("subjectAltName=" + names + "\n")
    openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key",
            "-CAcreateserial", "-days", days, "-extfile", name + ".ext", "-out", name + ".pem")


def make_certificates():
    make_ca("ca")
    make_ca("other-ca")
    make_cert("good", "ca", "DNS:origin.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1")
    make_cert("rsa", "ca", "DNS:origin.test", kind="rsa")
    make_cert("expired", "ca", "DNS:origin.test", "-1")
    make_cert("unknown", "other-ca", "DNS:origin.test")
    make_cert("client", "ca", "DNS:client.test")
    make_key("self")
    openssl("req", "-x509", "-new", "-key", "self.key", "-subj", "/CN=origin.test", "-days", "30",
            "-addext", "subjectAltName=DNS:origin.test", "-out", "self.pem")


def context(cert="good", version=None, alpn=None, client_ca=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(path(cert + ".pem"), path(cert + ".key"))
    if version:
        c.minimum_version = c.maximum_version = version
    if alpn:
        c.set_alpn_protocols(alpn)
    if client_ca:
        c.load_verify_locations(path(client_ca + ".pem"))
        c.verify_mode = ssl.CERT_REQUIRED
    return c


def greeting(tls):
    return b"reused=%d\n" % tls.session_reused


def echo(tls):
    tls.sendall(greeting(tls))
    while data := tls.recv(65536):
        tls.sendall(data)
    tls.unwrap()


def say_and_notify(tls):
    tls.sendall(b"hello")
    tls.unwrap()


def say_much(tls):
    tls.sendall(bytes(range(256)) * 4096)
    tls.unwrap()


def say_and_break(tls, raw):
    tls.sendall(b"hello")
    time.sleep(0.05)
    os.write(raw, b"\x17\x03\x03\x00\x20" + b"x" * 32)
    time.sleep(0.2)


def over_tls(make_context, talk):
    def serve(sock):
        tls = make_context().wrap_socket(sock, server_side=True, suppress_ragged_eofs=True)
        with tls:
            talk(tls)
    return serve


def sending(*answers, end="close"):
    def serve(sock):
        sock.recv(4096)
        for answer in answers:
            sock.sendall(answer)
        if end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif end == "hold":
            time.sleep(60)
        sock.close()
    return serve


def intolerant(make_context, talk):
    """It takes an offer of TLS 1.3 for an error, and answers it with protocol_version."""
    def serve(sock):
        if b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03" in sock.recv(4096, socket.MSG_PEEK):
            sock.recv(4096)
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x46")
            sock.close()
        else:
            over_tls(make_context, talk)(sock)
    return serve


def silent(sock):
    time.sleep(60)
    sock.close()


def start(name, serve):
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(sock)
        except (OSError, ssl.SSLError):
            sock.close()

    def accept():
        while True:
            threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(name, listening.getsockname()[1], flush=True)


def start_key_updating():
    """OpenSSL's own server: python cannot ask for a KeyUpdate."""
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "good.pem", "-key", "good.key"],
        cwd=DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def work():
        for line in server.stdout:
            if b"tell me" in line:
                server.stdin.write(b"K\n")
                server.stdin.flush()

    for line in server.stdout:
        found = re.match(rb"ACCEPT .*:(\d+)$", line.strip())
        if found:
            print("key-update", int(found.group(1)), flush=True)
            break
    threading.Thread(target=work, daemon=True).start()
    return server


def main():
    make_certificates()
    both, old, new = context(alpn=["http/1.1"]), context(version=V12), context(version=V13)
    start("echo", over_tls(lambda: both, echo))
    start("echo12", over_tls(lambda: old, echo))
    start("echo13", over_tls(lambda: new, echo))
    for version, name in ((V12, "rsa12"), (V13, "rsa13")):
        rsa = context("rsa", version)
        rsa.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        start(name, over_tls(lambda rsa=rsa: rsa, echo))
    by_itself = context("rsa", V12)  # prefers PSS, whatever the client does
    start("pss12", over_tls(lambda: by_itself, echo))
    start("intolerant", intolerant(lambda: old, echo))
    start("forgetful12", over_tls(lambda: context(version=V12), echo))
    start("forgetful13", over_tls(lambda: context(version=V13), echo))
    turn = [old, new]
    start("fickle", over_tls(lambda: (turn.reverse(), turn[0])[1], echo))
    for cert in ("expired", "unknown", "self"):
        ill = context(cert)
        start(cert, over_tls(lambda ill=ill: ill, echo))
    strict12 = context(version=V12, client_ca="ca")
    strict13 = context(version=V13, client_ca="ca")
    start("strict12", over_tls(lambda: strict12, echo))
    start("strict13", over_tls(lambda: strict13, echo))
    start("notify", over_tls(lambda: both, say_and_notify))
    start("cut", over_tls(lambda: both, lambda tls: tls.sendall(b"hello")))
    start("much", over_tls(lambda: both, say_much))
    start("broken", over_tls(lambda: both, lambda tls: say_and_break(tls, tls.fileno())))
    start("plain", sending(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    start("garbage", sending(b"\x16\x03\x03\x00\x10\x02\x00\x00\x0c" + b"\xa5" * 12, end="hold"))
    start("alert", sending(b"\x15\x03\x03\x00\x02\x02\x28"))
    start("eof", sending())
    start("reset", sending(end="reset"))
    start("silent", silent)
    server = start_key_updating()
    print("ready", flush=True)
    sys.stdin.read()
    server.kill()
    os._exit(0)


main()
