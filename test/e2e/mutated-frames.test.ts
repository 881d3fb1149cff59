/**
 * Mutated frames on real sockets, of subscribers, of origins and of HTTP, aimed at the objects and shards that others use:
 * these miss nothing meanwhile. `npm run test:long` sends 100,000.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { UPLINK_PROTOCOL } from "../../shared/protocol/version.ts";
import { sendAll, sendBytes } from "../support/attackers.ts";
import { Deployment } from "../support/deployment.ts";
import { LiveTraffic } from "../support/live-traffic.ts";
import { figure, LONG, SEED } from "../support/long.ts";
import { Mutations } from "../support/mutations.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

const FRAMES = LONG ? 100_000 : 3_000;
/** On each connection, as far as it lives. */
const EACH = 20;
const AT_ONCE = 4;
const MINUTES = LONG ? 1_800_000 : 240_000;
const KEYS = ["a", "b", "c", "d"];
const GREEDY = "1000000";

let edge: Deployment;

beforeAll(async () => {
  edge = await Deployment.start({
    topics: { open: {}, closed: { stream: { subscribe: "token" } } },
    edgeEnv: {
      // What is sent is sent to objects of endpoints.
      ROOMS: "0",
      AUTH_ISSUERS,
      AUTH_COOKIE: "session",
      // Or most of them would be refused before they are read.
      CONNECTION_MESSAGES_PER_SECOND: GREEDY,
      CONNECTION_MESSAGES_BURST: GREEDY,
      CONNECTION_SUBSCRIBES_PER_SECOND: GREEDY,
      CONNECTION_SUBSCRIBES_BURST: GREEDY,
    },
  });
});
afterAll(() => edge?.stop());

const bytesOf = (text: string) => new TextEncoder().encode(text);

test(
  "[C5] mutated frames of subscribers, of an origin and of HTTP end their own sockets at most",
  async () => {
    const before = await edge.operations();
    const traffic = await LiveTraffic.begin(edge, "open", KEYS);
    const mutations = new Mutations(SEED);
    const token = await tokenOf({ subscribe: ["/closed/*"] });
    const { port } = new URL(edge.url);
    const ws = edge.url.replace("http", "ws");
    const [, , ...secret] = edge.uplinkKey("second").split(":");
    const said = (path: string) => [
      `{"id":1,"sub":"${path}"}`,
      `{"id":2,"sub":"${path}","from":"-"}`,
      `{"id":3,"token":"${token}"}`,
      '{"id":4,"pub":"/orders/1","v":{}}',
      '{"ping":1}',
    ];
    const subscriber = async () => {
      const isOpen = mutations.below(2) === 0;
      const path = isOpen ? `/open/${mutations.one(KEYS)}` : "/closed/a";
      const headers: Record<string, string> = isOpen ? {} : { Authorization: `Bearer ${token}` };
      const messages = Array.from({ length: EACH }, () => {
        const text = mutations.text(said(path));
        return mutations.below(20) === 0 ? bytesOf(text) : text;
      });
      return sendAll(`${ws}${path}`, ["distributary.v1"], headers, messages);
    };
    /** One that has a key, and is never ready: an origin that is may take over. */
    const origin = async () => {
      const uplink = await ScriptedOrigin.token({
        kid: "key-of-second",
        secret: secret.join(":"),
        name: "second",
      });
      const good = [
        '{"hello":{"version":1,"origin":"second"}}',
        '0\t{"leaving":true}',
        '1\t{"attached":"/open/a","id":3,"position":"a.0:1","head":"a.0:2","count":1}',
        '1,2\t{"e":"/open/a","p":"a.0:2","q":1,"v":1}',
        '1\t{"waiting":"/open/a","id":3}',
        '?1\t{"latest":"/open/a","position":"a.0:1","count":0}',
      ];
      const binary = [bytesOf('1\t{"e":"/open/a","p":"a.0:2","q":1,"n":3}\nabc')];
      const messages = Array.from({ length: EACH }, () =>
        mutations.below(3) === 0 ? mutations.bytes(binary) : mutations.text(good),
      );
      const hello = mutations.below(4) === 0 ? [] : good.slice(0, 1);
      const url = `${ws}/$/uplink?shard=${mutations.below(2)}`;
      const headers = { Authorization: `Bearer ${uplink}` };
      return sendAll(url, [UPLINK_PROTOCOL], headers, [...hello, ...messages]);
    };
    const http = async () => {
      const good = [
        `GET /open/a HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        "GET /closed/%F0%9F%98%80 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: session=a.b.c; b=c\r\n\r\n",
        "GET /open/a?from=a.0:1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: distributary.v1, distributary.bearer.a.b.c\r\n\r\n",
      ];
      await sendBytes(Number(port), mutations.text(good));
      return 1;
    };
    let sent = 0;
    let connections = 0;
    const attack = async () => {
      while (sent < FRAMES) {
        connections++;
        const more = await mutations.one([subscriber, subscriber, origin, http, http])();
        sent += more;
      }
    };

    await Promise.all(Array.from({ length: AT_ONCE }, attack));

    await traffic.flows();
    const written = await traffic.end();
    expect([edge.edge?.exited, edge.origin?.exited]).toEqual([false, false]);
    expect((await fetch(`${edge.url}/$/health`)).status).toBe(200);
    const after = await edge.operations();
    const arrived = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
    const read = arrived("websocket_message_in.endpoint_subscriber");
    // Most are sent before one of them ends their connection.
    expect(read).toBeGreaterThan(FRAMES / 10);
    figure(
      `${sent} mutated frames on ${connections} connections, of which objects read ${read}; meanwhile ${written} updates, none missed`,
    );
  },
  MINUTES,
);
