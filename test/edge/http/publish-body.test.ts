import { describe, expect, test } from "vitest";
import { readBody } from "../../../edge/http/publish-body.ts";

/** A body that a test sends piece by piece. */
function scripted() {
  let cancelled = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (own) => {
      controller = own;
    },
    cancel: () => {
      cancelled = true;
    },
  });
  return {
    request: { body, headers: new Headers() },
    send: (...bytes: number[]) => controller?.enqueue(new Uint8Array(bytes)),
    end: () => controller?.close(),
    isCancelled: () => cancelled,
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("[W1] the body of a publish", () => {
  test("is its bytes, however many pieces they come in", async () => {
    const { request, send, end } = scripted();
    const read = readBody(request, 5, new AbortController().signal);
    send(1, 2);
    await settled();
    send(3, 4, 5);
    end();

    expect(await read).toEqual(new Uint8Array([1, 2, 3, 4, 5]));
  });

  test("is empty where there is none", async () => {
    const none = { body: null, headers: new Headers() };

    expect(await readBody(none, 5, new AbortController().signal)).toEqual(new Uint8Array(0));
  });

  test("is let go as soon as it is too large, said or not", async () => {
    const { request, send, isCancelled } = scripted();
    const read = readBody(request, 5, new AbortController().signal);
    send(1, 2, 3);
    send(4, 5, 6);
    const said = { body: null, headers: new Headers({ "Content-Length": "6" }) };

    expect(await read).toBe("tooLarge");
    expect(isCancelled()).toBe(true);
    expect(await readBody(said, 5, new AbortController().signal)).toBe("tooLarge");
  });

  test("is let go when its time is over, though a piece comes now and then", async () => {
    const { request, send, isCancelled } = scripted();
    const time = new AbortController();
    const read = readBody(request, 5, time.signal);
    send(1);
    await settled();
    send(2);
    await settled();
    time.abort();

    expect(await read).toBe("tooSlow");
    expect(isCancelled()).toBe(true);
  });

  test("that breaks off is no body", async () => {
    const body = new ReadableStream<Uint8Array>({ pull: (own) => own.error(new Error("gone")) });

    await expect(readBody({ body, headers: new Headers() }, 5, new AbortController().signal)).rejects.toThrow(
      "gone",
    );
  });
});
