/** How these programs talk with the test that runs them: JSON lines out, lines in. */

import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

export async function timePasses(until: string): Promise<void> {
  say({ until });
  await lines.next();
}
