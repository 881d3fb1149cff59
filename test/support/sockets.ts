/** The TCP sockets of a process, as the kernel has them now. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

interface TcpSocket {
  readonly inode: string;
  readonly localPort: number;
  readonly remotePort: number;
  readonly state: string;
}

const ESTABLISHED = "01";
const LISTEN = "0A";

/** Connections that a process has to a port, wherever that is. */
export function connectionsTo(pid: number, port: number): number {
  return socketsOf(pid).filter(({ state, remotePort }) => state === ESTABLISHED && remotePort === port)
    .length;
}

/** The ports that a process listens on. */
export function listening(pid: number): number[] {
  return socketsOf(pid)
    .filter(({ state }) => state === LISTEN)
    .map(({ localPort }) => localPort);
}

function socketsOf(pid: number): TcpSocket[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      } catch {
        // Closed since it was listed.
        return undefined;
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap(tableOf).filter(({ inode }) => inodes.has(inode));
}

function tableOf(name: string): TcpSocket[] {
  const lines = readFileSync(`/proc/net/${name}`, "utf8").trim().split("\n").slice(1);
  return lines.map((line) => {
    const [, local = "", remote = "", state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
    const port = (address: string) => Number.parseInt(address.split(":")[1] ?? "", 16);
    return { inode, localPort: port(local), remotePort: port(remote), state };
  });
}
