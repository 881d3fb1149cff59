/** The platform's Request: `cf` is what the runtime says of who asks. */
type Init = RequestInit & { readonly cf?: unknown; readonly duplex?: "half" };

export class Request extends globalThis.Request {
  readonly cf: unknown;

  constructor(input: string | URL | globalThis.Request, init: Init = {}) {
    super(input, init);
    this.cf = init.cf ?? (input instanceof Request ? input.cf : undefined);
  }
}
