/** Somebody who revokes tokens of an edge, as a client of its HTTP interface. */
export interface Told {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

export class Administrator {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor(edgeUrl: string, token?: string) {
    this.#url = `${edgeUrl}/$/revocations`;
    this.#token = token;
  }

  revoke(body: unknown): Promise<Told> {
    return this.#ask("POST", "", typeof body === "string" ? body : JSON.stringify(body));
  }

  list(): Promise<Told> {
    return this.#ask("GET");
  }

  lift(id: unknown): Promise<Told> {
    return this.#ask("DELETE", `/${id}`);
  }

  async #ask(method: string, path = "", body?: string): Promise<Told> {
    const headers = this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` };
    const init = { method, headers, ...(body !== undefined && { body }) };
    const answer = await fetch(`${this.#url}${path}`, init);
    const told = (await answer.json()) as Record<string, unknown>;
    return { status: answer.status, body: told, headers: answer.headers };
  }
}

export function codeOf({ body }: Told): string | undefined {
  return (body.error as { code: string } | undefined)?.code;
}
