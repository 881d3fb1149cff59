import { expect, test } from "vitest";
import { greeting, type Publication, readReplies, type Subscribed } from "./centrifugo.ts";

function read(text: string) {
  const heard = { subscribed: [] as Subscribed[], publications: [] as Publication[], pings: 0 };
  readReplies(Buffer.from(text), {
    subscribed: (subscribed) => heard.subscribed.push(subscribed),
    publication: (publication) => heard.publications.push(publication),
    ping: () => heard.pings++,
  });
  return heard;
}

const data = (seq: number) => ({ due: 1_000.5, seq, pad: "x\n" });
const stamp = (sequence: number) => ({ due: 1_000.5, sequence, run: 0 });
const push = (offset: number) =>
  JSON.stringify({ push: { channel: "bench:k1", pub: { data: data(offset - 1), offset } } });

test("connects and subscribes in one message, and asks for what it missed when it comes back", () => {
  expect(
    greeting("bench:k1")
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { id: 1, connect: {} },
    { id: 2, subscribe: { channel: "bench:k1" } },
  ]);
  expect(JSON.parse(greeting("bench:k1", { epoch: "NqOd", offset: 7 }).split("\n")[1] ?? "")).toEqual({
    id: 2,
    subscribe: { channel: "bench:k1", recover: true, epoch: "NqOd", offset: 7 },
  });
});

test("publications are read, several to a message, with offset and stamp", () => {
  expect(read(`${push(1)}\n${push(2)}\n`).publications).toEqual([
    { offset: 1, stamp: stamp(0) },
    { offset: 2, stamp: stamp(1) },
  ]);
});

test("an answer to a subscribe says where it stands, and has what was missed", () => {
  const connected = '{"id":1,"connect":{"client":"a","version":"6","ping":25,"pong":true}}';
  const publications = [{ data: data(6), offset: 7 }];
  const recovered = {
    recoverable: true,
    positioned: true,
    epoch: "NqOd",
    recovered: true,
    offset: 7,
    publications,
  };

  expect(read(`${connected}\n{"id":2,"subscribe":{"recoverable":true,"epoch":"NqOd"}}`).subscribed).toEqual([
    { epoch: "NqOd", offset: 0, recovered: false, publications: [] },
  ]);
  expect(read(JSON.stringify({ id: 2, subscribe: recovered })).subscribed).toEqual([
    { epoch: "NqOd", offset: 7, recovered: true, publications: [{ offset: 7, stamp: stamp(6) }] },
  ]);
});

test("a ping is told from a reply, also between others", () => {
  const heard = read(`{}\n${push(3)}\n{}`);

  expect(heard).toMatchObject({ pings: 2, publications: [{ offset: 3 }] });
});

test("joins of others and kinds that are not known are passed over", () => {
  const heard = read('{"push":{"channel":"bench:k1","join":{"info":{}}}}\n{"push":{"later":{}}}');

  expect(heard).toEqual({ subscribed: [], publications: [], pings: 0 });
});

test.each([
  ['{"id":2,"error":{"code":103,"message":"permission denied"}}', "refused with 103 permission denied"],
  [
    '{"push":{"channel":"bench:k1","unsubscribe":{"code":2500,"reason":"insufficient state"}}}',
    "unsubscribed with 2500 insufficient state",
  ],
  ['{"push":{"channel":"bench:k1","pub":{"data":{"other":1},"offset":4}}}', "no publisher of this bench"],
  ['{"push":{"cha', "JSON"],
])("%s is a violation", (text, problem) => {
  expect(() => read(text)).toThrow(problem);
});
