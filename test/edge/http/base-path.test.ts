import { describe, expect, test } from "vitest";
import { belowBase, readBasePath } from "../../../edge/http/base-path.ts";

const ask = async (url: string, basePath: string | undefined, location?: string) => {
  let asked = "";
  const answer = await belowBase(new Request(url), basePath, (own) => {
    asked = own.url;
    return new Response(null, location === undefined ? {} : { status: 308, headers: { Location: location } });
  });
  return [asked.replace("https://edge", ""), answer.headers.get("Location")];
};

describe("[A14] an edge below /live", () => {
  test.each([
    ["/live/quotes/A%2Fb?from=e.0:1", "/quotes/A%2Fb?from=e.0:1"],
    ["/live/$/health", "/$/health"],
    ["/live", "/"],
    ["/live/", "/"],
    ["/live//a", "//a"],
    ["/lively/a", "/lively/a"],
    ["/$/uplink", "/$/uplink"],
  ])("%s is %s of the edge", async (path, own) => {
    expect(await ask(`https://edge${path}`, "/live")).toEqual([own, null]);
  });

  test("redirects to below it, and leaves other hosts alone", async () => {
    expect(await ask("https://edge/live/", "/live", "/$/")).toEqual(["/", "/live/$/"]);
    expect(await ask("https://edge/live/", "/live", "https://else/a")).toEqual(["/", "https://else/a"]);
  });

  test("without such a path nothing is changed", async () => {
    expect(await ask("https://edge/live/a", undefined, "/$/")).toEqual(["/live/a", "/$/"]);
  });
});

test.each(["live", "/live/", "/", "/a b", "/../a", "/a/..", "/a?b", "//a"])("%j is no such path", (text) => {
  expect(() => readBasePath(text)).toThrow("BASE_PATH");
});

test("/a/b-c.d is one", () => expect(readBasePath("/a/b-c.d")).toBe("/a/b-c.d"));
