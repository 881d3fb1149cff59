/** What is asked for behind the path of a URL. */
export type Query = Pick<URLSearchParams, "get" | "has">;

const NONE: Query = new URLSearchParams();

/** Nearly always there is none, and to find that out takes as long as to read one. */
export function queryOf(url: URL): Query {
  return url.search === "" ? NONE : url.searchParams;
}
