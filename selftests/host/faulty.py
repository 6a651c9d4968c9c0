#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
usage: faulty.py ADDRESS PORT...

Stands before servers that are bound to 127.0.0.1: what comes to PORT at ADDRESS
goes on to the same port there, as long as nobody says otherwise. A word on stdin
is how they all fail from then on, and is printed when they do:

  pass     not at all
  refuse   nobody listens
  silence  connections are accepted, and that is all
  drip     the answer comes, a byte each 600 ms
  wrong    what answers is a mail server
  close    connections are closed at once

PORT/udp answers each datagram by itself, with what it got.
"""
import asyncio
import sys

address, ports = sys.argv[1], sys.argv[2:]
mode = "pass"
servers, datagrams, tasks = [], [], set()


async def on_way(reader, writer, slow):
    while True:
        data = await reader.read(65536)
        if not data:
            break
        for i in range(0, len(data), 1 if slow else len(data)):
            writer.write(data[i:i + 1] if slow else data)
            await writer.drain()
            if slow:
                await asyncio.sleep(0.6)
    writer.write_eof()


async def serve(port, reader, writer):
    other = None
    try:
        if mode == "close":
            return
        if mode == "wrong":
            writer.write(b"220 mail.example ESMTP\r\n")
        if mode in ("silence", "wrong"):
            while await reader.read(65536):
                pass
            return
        back, other = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(on_way(reader, other, False), on_way(back, writer, mode == "drip"))
    except OSError:
        pass
    finally:
        for w in (writer, other):
            if w:
                w.transport.abort()


def on_connection(port):
    async def run(reader, writer):
        task = asyncio.current_task()
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await serve(port, reader, writer)
    return run


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        if mode == "pass":
            self.transport.sendto(data, peer)
        elif mode == "wrong":
            self.transport.sendto(b"220 mail.example", peer)


async def listen():
    loop = asyncio.get_running_loop()
    for name in ports:
        port, _, udp = name.partition("/")
        if udp:
            transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=(address, int(port)))
            datagrams.append(transport)
        else:
            servers.append(await asyncio.start_server(on_connection(int(port)), address, int(port), backlog=128))


async def change(word):
    global mode
    mode = word
    for task in list(tasks):
        task.cancel()
    if word == "refuse":
        while servers:
            servers.pop().close()
        while datagrams:
            datagrams.pop().close()
    elif not servers:
        await listen()
    print(word, flush=True)


async def main():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await change("pass")
    while True:
        line = await reader.readline()
        if not line:
            break
        await change(line.decode().strip())


asyncio.run(main())
