/** Whether something that is to be kept to oneself stands in what others see, whole or in part, however it is written. */

/** So many characters in a row are a part that somebody could go on from, and none that comes about by chance. */
const RUN = 12;

export class Leaks {
  readonly #runs = new Map<string, string>();

  /** `what`: how it is called if it is found. */
  keep(what: string, secret: string): void {
    const bytes = Buffer.from(secret);
    const forms = [secret, bytes.toString("hex"), encodeURIComponent(secret)];
    // In base64 three bytes are four characters: a text has three forms, by where it begins.
    for (let at = 0; at < 3; at++) {
      const whole = bytes.subarray(at, bytes.length - ((bytes.length - at) % 3));
      forms.push(whole.toString("base64"), whole.toString("base64url"));
    }
    for (const form of forms)
      for (let at = 0; at + RUN <= form.length; at++) this.#runs.set(form.slice(at, at + RUN), what);
  }

  /** Of a token: what it says, and its signature. How a header begins says nothing. */
  keepToken(what: string, token: string): void {
    const [, claims = "", signature = ""] = token.split(".");
    for (const part of [claims, signature])
      for (let at = 0; at + RUN <= part.length; at++) this.#runs.set(part.slice(at, at + RUN), what);
  }

  /** What of it stands there: how it is called, and where. */
  in(where: string, text: string): string[] {
    const found = new Set<string>();
    for (let at = 0; at + RUN <= text.length; at++) {
      const what = this.#runs.get(text.slice(at, at + RUN));
      if (what !== undefined)
        found.add(`${what} in ${where}, near ${JSON.stringify(text.slice(Math.max(0, at - 60), at))}`);
      if (found.size > 20) break;
    }
    return [...found];
  }
}
