/** Whether an address can be reached, step by step: its name, TCP, TLS. And what a failure means, in words. */
import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { TIME_LIMITS } from "../time-limits.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export type Reached =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly step: "name" | "tcp" | "tls";
      /** Node's or OpenSSL's code. */
      readonly code: string;
      readonly message: string;
    };

/** @param tls undefined for plain TCP. Never rejects. */
export async function reach(address: Address, tls: ConnectionOptions | undefined): Promise<Reached> {
  try {
    await lookup(address.host);
  } catch (error) {
    return failed("name", error);
  }
  const tcp = await opened(() => connectTcp(address), "connect");
  if (tcp !== undefined) return failed("tcp", tcp);
  if (tls === undefined) return { ok: true };
  const servername = isIP(address.host) ? {} : { servername: address.host };
  const secured = await opened(() => connectTls({ ...address, ...servername, ...tls }), "secureConnect");
  return secured === undefined ? { ok: true } : failed("tls", secured);
}

/** Resolves with what went wrong, if anything did. */
function opened(connect: () => Socket, event: "connect" | "secureConnect"): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect();
    const end = (error?: Error) => {
      resolve(error);
      socket.destroy();
    };
    socket.setTimeout(TIME_LIMITS.doctorConnectMs, () =>
      end(
        Object.assign(new Error(`no answer within ${TIME_LIMITS.doctorConnectMs} ms`), { code: "ETIMEDOUT" }),
      ),
    );
    socket.once(event, () => end());
    socket.on("error", end);
    socket.once("close", () =>
      end(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" })),
    );
  });
}

function failed(step: "name" | "tcp" | "tls", error: unknown): Reached {
  // Of a name with several addresses each has its own failure; the first stands for all.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const message = first instanceof Error ? first.message : String(first);
  const code = first instanceof Error && "code" in first ? String(first.code) : "";
  return { ok: false, step, code, message };
}

/** Names of the settings that are to be corrected. */
export interface Blame {
  /** Where the address comes from. */
  readonly address: string;
  /** Where the authorities to trust come from. */
  readonly authorities: string;
  /** Which setting turns TLS on or off. */
  readonly tls: string;
  /** Which setting says what name a certificate must be for, if there is one. */
  readonly name?: string;
}

export interface Words {
  readonly says: string;
  readonly todo: string;
}

export function wordsOf({ step, code, message }: Reached & { ok: false }, blame: Blame): Words {
  if (step === "name")
    return {
      says: `this name can't be resolved here (${code || message})`,
      todo: `correct ${blame.address}, or the DNS of this machine`,
    };
  if (step === "tcp") return tcpWords(code, message, blame);
  return tlsWords(code, message, blame);
}

function tcpWords(code: string, message: string, blame: Blame): Words {
  if (code === "ECONNREFUSED")
    return {
      says: "nobody listens there (ECONNREFUSED)",
      todo: `start it, or correct ${blame.address}`,
    };
  if (["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"].includes(code))
    return {
      says: `no answer comes from there (${code})`,
      todo: `let this machine through: firewall, security group, route; or correct ${blame.address}`,
    };
  return { says: `it can't be connected to (${code || message})`, todo: `correct ${blame.address}` };
}

const UNTRUSTED = [
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
];

function tlsWords(code: string, message: string, blame: Blame): Words {
  if (UNTRUSTED.includes(code))
    return {
      says: `its certificate is from an authority that isn't trusted here (${code})`,
      todo: `set ${blame.authorities} to a file with that authority's certificate`,
    };
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return {
      says: `its certificate is for other names (${message})`,
      todo: `use one of these names in ${blame.address}${blame.name === undefined ? "" : `, or set ${blame.name} to one that only this cluster has`}, or have a certificate made for this one`,
    };
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return {
      says: `its certificate is not valid now (${code})`,
      todo: "renew it, or correct this machine's clock",
    };
  if (/wrong version number|packet length too long|http request/i.test(message) || code === "ECONNRESET")
    return {
      says: `it doesn't speak TLS there (${code || message})`,
      todo: `correct the port in ${blame.address}, or ${blame.tls}`,
    };
  return { says: `TLS fails: ${message}`, todo: "see what the other end says of it in its log" };
}
