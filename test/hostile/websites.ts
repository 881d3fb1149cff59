/** Pages of foreign websites in a browser of this machine. */
import { type Attack, HONEST_TOPIC } from "./attack.ts";

const EVIL = "evil.example";
const PATHS = [`/${HONEST_TOPIC}/k0`, "/$/health", "/$/operations", "/$/streams"];

export const WEBSITES: readonly Attack[] = [
  {
    name: "website",
    row: 12,
    by: "a stranger",
    how: "50 GETs a second as a browser sends them for a foreign website: under its own Origin, or its name as Host",
    run: (ground) =>
      ground.steadily(50, async (n) => {
        const path = PATHS[(n >> 1) % PATHS.length] ?? "/";
        const headers: Record<string, string> = n % 2 === 0 ? { Host: EVIL } : { Origin: `https://${EVIL}` };
        const { status } = await ground.ask({ path, headers });
        if (status === 200) ground.harm(`${path} was read by a foreign ${Object.keys(headers)}`);
      }),
  },
];
