import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { declarationsOf, exportsOf, importOf, typesIn } from "../../../shared/client/package/declarations.ts";
import { currentReference, REFERENCE } from "../../../shared/client/package/reference.ts";

test("docs/client-api.md is what npm run reference makes of the client as it is", async () => {
  expect(await currentReference()).toBe(readFileSync(REFERENCE, "utf8"));
});

describe("of declarations", () => {
  test("the names that are exported are found, by whichever form", () => {
    const text = `export { Client, type Options as ClientOptions } from "./client.js";
export type { Endpoint } from "./endpoint.js";
export * from "../index.js";
interface Hidden {}
export interface Watch {}
export declare function use(): void;
`;

    expect(exportsOf(text).map(({ name, declared, from }) => [name, declared, from])).toEqual([
      ["Client", "Client", "./client.js"],
      ["ClientOptions", "Options", "./client.js"],
      ["Endpoint", "Endpoint", "./endpoint.js"],
      ["Watch", "Watch", undefined],
      ["use", "use", undefined],
    ]);
  });

  test("each is taken whole, with its docstring and without what is private", () => {
    const text = `/** Of another. */
export declare class Clients {}
/**
 * Two lines
 * of it.
 */
export declare class Client {
    #private;
    private made;
    constructor(url: string, ports: ClientPorts);
    /** With a } and a ; in it. */
    get(of: "}"): {
        a: 1;
    };
}
export type One = {
    readonly a: 1;
} | "x;";
export declare function use(a: 1): void;
export declare function use(a: { b: 2; }): void;
`;

    expect(declarationsOf(text, "Client")).toEqual([
      {
        says: "Two lines\nof it.",
        code: 'class Client {\n    /** With a } and a ; in it. */\n    get(of: "}"): {\n        a: 1;\n    };\n}',
      },
    ]);
    expect(declarationsOf(text, "One")).toEqual([
      { says: undefined, code: 'type One = {\n    readonly a: 1;\n} | "x;";' },
    ]);
    expect(() => declarationsOf("interface Open {", "Open")).toThrow("has no end");
    expect(declarationsOf(text, "use").map(({ code }) => code)).toEqual([
      "function use(a: 1): void;",
      "function use(a: { b: 2; }): void;",
    ]);
  });

  test("the types that it names are known, and where they come from", () => {
    const text = `import type { Endpoint } from "./endpoint.js";
import { ClientError, type Options as Terms } from "../client.js";
import type { ReactNode } from "react";
`;

    expect(
      typesIn('/** Of Another. */\nget<T>(of: Endpoint | "Text", Terms): Terms | typeof ERRORS;'),
    ).toEqual(["Endpoint", "Terms"]);
    expect(
      ["Endpoint", "Terms", "ClientError", "Options", "ReactNode"].map((name) => importOf(text, name)),
    ).toEqual([
      { declared: "Endpoint", from: "./endpoint.js" },
      { declared: "Options", from: "../client.js" },
      { declared: "ClientError", from: "../client.js" },
      undefined,
      undefined,
    ]);
  });
});
