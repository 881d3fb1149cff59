import { join } from "node:path";
import { describe, expect, test } from "vitest";

interface Module {
  wantsEvents(request: Request): boolean;
  withinStream(request: Request, answer: Response): Promise<Response | undefined>;
}

/** Imported without its types, which are those of another platform. */
const { wantsEvents, withinStream } = (await import(
  join(import.meta.dirname, "../../../../edge/http/plain/event-stream.ts")
)) as Module;

const asking = (accept: string | undefined, method = "GET") =>
  new Request("https://edge/quotes/A", { method, headers: accept === undefined ? {} : { Accept: accept } });

describe("a request", () => {
  test.each([
    ["text/event-stream", true],
    ["Text/Event-Stream; charset=utf-8", true],
    ["application/json, text/event-stream;q=0.5", true],
    ["text/event-stream;q=0.001", true],
    [undefined, false],
    ["*/*", false],
    ["text/*", false],
    ["text/event-stream;q=0", false],
    ["text/event-stream; q=0.000", false],
    ["text/event-streams", false],
    ["x-text/event-stream", false],
  ])("[E1] that accepts %j wants events: %j", (accept, wants) => {
    expect(wantsEvents(asking(accept))).toBe(wants);
  });
});

describe("an answer", () => {
  const passing = () =>
    Response.json(
      { error: { code: "unavailable", message: "m", retry: true } },
      { status: 503, headers: { "Retry-After": "1" } },
    );

  test("[E4] that is an error which may pass is told within a stream", async () => {
    const answer = passing();
    const within = await withinStream(asking("text/event-stream"), answer);

    expect(within?.status).toBe(200);
    expect(within?.headers.get("Content-Type")).toBe("text/event-stream");
    expect(await within?.text()).toMatch(
      /^retry: \d{4,5}\nevent: error\ndata: \{"code":"unavailable",.*"retry":true\}\n\n$/,
    );
    expect(answer.headers.has("Retry-After")).toBe(false);
  });

  test("[E4] is left as it is for whoever asks for anything else, and if the same would come again", async () => {
    const refused = Response.json(
      { error: { code: "forbidden", message: "m", retry: false } },
      { status: 403 },
    );

    expect(await withinStream(asking("*/*"), passing())).toBeUndefined();
    expect(await withinStream(asking("text/event-stream", "POST"), passing())).toBeUndefined();
    expect(await withinStream(asking("text/event-stream"), refused)).toBeUndefined();
  });
});
