"""Servers that are broken, each on a port of its own; /run/broken is there when all of them listen."""
import socket, ssl, threading, time

FLOODS = {7005: b"x" * 4096, 7006: b"220-hello\r\n" * 400, 7007: b"* OK hello\r\n" * 400, 7008: b"\x30\x84\x7f\xff\xff\xff" * 700}
BODY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
GARBAGE = b"\x00\xff\x16\x03garbage\r\n\r\n\x80\x80"
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
TLS.load_cert_chain("/etc/lab/cert.pem", "/etc/lab/key.pem")

def hang(s):
    time.sleep(3600)

def garbage(s):
    s.sendall(GARBAGE)
    s.settimeout(1)
    s.recv(4096)

def flood(block, first=b""):
    def run(s):
        s.sendall(first)
        while True:
            s.sendall(block)
    return run

def over_tls(what):
    return lambda s: what(TLS.wrap_socket(s, server_side=True))

def quietly(what, s):
    try:
        what(s)
    except OSError:
        pass
    s.close()

def serve(port, what):
    listener = socket.create_server(("", port), backlog=128)
    def accept():
        while True:
            s, _ = listener.accept()
            threading.Thread(target=quietly, args=(what, s), daemon=True).start()
    threading.Thread(target=accept).start()

def packets(port, answer):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", port))
    def run():
        while True:
            data, sender = s.recvfrom(4096)
            if answer:
                s.sendto(answer, sender)
    threading.Thread(target=run).start()

serve(7002, hang)
serve(7003, garbage)
for port, block in FLOODS.items():
    serve(port, flood(block))
serve(7009, flood(b"x" * 4096, BODY))
serve(7012, over_tls(hang))
serve(7013, over_tls(garbage))
serve(7015, over_tls(flood(b"x" * 4096)))
packets(7002, None)
packets(7003, GARBAGE)
open("/run/broken", "w").close()
