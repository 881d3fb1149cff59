import { beforeEach, expect, test } from "vitest";
import { CuttableTransport } from "../../../edge/page/cuttable.ts";
import { subscribe } from "../../../shared/client/client.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import { encodeVerdict } from "../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";

const at = parsePosition("a:41") ?? NOTHING;
const verdict = encodeVerdict(0, { position: at, head: at, recovered: undefined, cause: undefined });

let clock: FakeClock;
let network: FakeTransport;
let transport: CuttableTransport;

beforeEach(() => {
  clock = new FakeClock();
  network = new FakeTransport();
  transport = new CuttableTransport(network);
});

const begin = () => subscribe("ws://edge.example/quotes/AAPL", { transport, clock });

test("a cut closes the socket, and nothing that still comes from it gets through", () => {
  const subscription = begin();
  const socket = network.socket.open().say(verdict);

  transport.cut();

  expect(socket.closed).toBe(true);
  expect(subscription.phase).toBe("away");
  socket.say(verdict).drop();
  expect(subscription.connection).toMatchObject({ state: "backingOff", reason: "cut by this page" });
});

test("nothing is dialled while it is cut; when it is mended the client resumes at once", () => {
  const subscription = begin();
  network.socket.open().say(verdict);

  transport.cut();
  clock.pass(5_000);
  expect(network.dialled).toHaveLength(1);
  transport.mend();

  expect(network.urls).toEqual(["/quotes/AAPL", "/quotes/AAPL?from=a%3A41"]);
  network.socket.open();
  expect(subscription.phase).toBe("asked");
});

test("a dial that is given up during the cut is not made when it is mended", () => {
  const subscription = begin();
  network.socket.open();
  transport.cut();
  clock.pass(500);

  subscription.close();
  transport.mend();

  expect(network.dialled).toHaveLength(1);
});

test("it can be cut again", () => {
  const subscription = begin();
  network.socket.open();
  transport.cut();
  clock.pass(500);
  transport.mend();
  const second = network.socket.open();

  transport.cut();

  expect(second.closed).toBe(true);
  expect(subscription.phase).toBe("away");
});
