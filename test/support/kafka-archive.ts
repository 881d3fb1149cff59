/**
 * Java's archive of the classes of a broker, which starts from it with half of the work that their jars take. One that starts
 * before there is an archive makes it when it is asked to end; it is kept.
 */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, hashOf } from "./kafka-classpath.ts";

/** What Java says that ended because it was asked to (SIGTERM). */
const ASKED = 143;

export interface Archive {
  /** Options of Java. */
  readonly java: readonly string[];
  /** This broker makes it, if it ends as it is asked to. */
  readonly isMade: boolean;
  /** Its broker has ended. */
  ended(exitCode: number | null): void;
}

/** @param mayMake whether a broker of these jars may take the time in the end */
export function archiveOf(jars: string, id: number, mayMake: boolean): Archive {
  const file = join(cacheFolder, `broker-${hashOf(jars)}.jsa`);
  const isThere = existsSync(file);
  if (isThere || !mayMake)
    return { java: isThere ? [`-XX:SharedArchiveFile=${file}`] : [], isMade: false, ended: () => {} };
  // Others may be at it too, so the file appears whole.
  const written = `${file}.${process.pid}.${id}`;
  return {
    java: [`-XX:ArchiveClassesAtExit=${written}`],
    isMade: true,
    ended: (exitCode) => {
      if (exitCode === ASKED && existsSync(written)) renameSync(written, file);
    },
  };
}
