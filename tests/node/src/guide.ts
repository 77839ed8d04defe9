/** Runs the code of docs/api.md; the test writes the documented_*.ts from its blocks. */

import { check } from "./client";
import { ApiError, call } from "./documented_client";
import { data as sessions } from "./documented_generated";
import { createRequest } from "./documented_idempotency";
import { uploadImage } from "./documented_images";
import { pages } from "./documented_pages";
import { byLocalDay, label, requestBody, type Slot } from "./documented_times";
import { readWeek } from "./documented_week";

const [api, token, mentorId] = process.argv.slice(2) as [string, string, string];

async function refused(result: Promise<unknown>): Promise<ApiError> {
  const error = await result.then(() => null, (reason: unknown) => reason);
  check(error instanceof ApiError, "an ApiError");
  return error;
}

const { slots } = await call<{ slots: Slot[] }>(
  api,
  null,
  "GET",
  `/mentors/${mentorId}/availability`,
);
const slot = slots[0];
check(slot !== undefined, "a slot");

// The test sets a time zone that is 12 or 13 hours ahead of UTC.
const days = byLocalDay(slots);
const start = new Date(slot.startsAt);
const date = [start.getFullYear(), start.getMonth() + 1, start.getDate()];
const [day, first] = [...days][0] ?? [];
check(day === date.map((part) => String(part).padStart(2, "0")).join("-"), "its local day");
check(first?.[0] === slot, "the first slot on its day");
check([...days.values()].flat().length === slots.length, "every slot on a day");
check(label(slot).includes(" – "), "a label");

// The clocks go back on the Sunday of this week. The mentor is free all day, by UTC.
const week = await readWeek(mentorId, "2027-11-03", "America/New_York");
check(week.map((day) => day.date).join() === [1, 2, 3, 4, 5, 6, 7].map((n) => `2027-11-0${n}`).join(), "its days");
check(week.map((day) => day.slots.length).join() === "24,24,24,24,24,24,25", "their slots");
const twice = week[6]?.slots.filter((slot) => slot.label.startsWith("01:00"));
check(twice?.map((slot) => slot.label).join() === "01:00 -04:00,01:00 -05:00", "both hours");
check(twice?.[1]?.body.scheduledTime === "06:00", "what to send");

const body = requestBody(mentorId, "Career advice", slot);
const request = await createRequest(body);
const duplicate = await refused(createRequest(body));
check(duplicate.code === "duplicate_request", "the code of the refusal");
check(duplicate.body.statusCode === 409 && duplicate.requestId !== null, "its body and its id");

const read: string[] = [];
for await (const page of pages<{ id: string }>("/mentors?limit=1&sort=newest")) {
  read.push(...page.map((mentor) => mentor.id));
}
check(read.length === 2 && read[1] === mentorId, "both pages");

const unauthorized = await refused(call(api, null, "GET", "/sessions"));
check(unauthorized.code === "unauthorized", "a refusal without a token");
const invalid = await refused(call(api, token, "POST", "/requests", { ...body, topic: 1 }));
check(invalid.body.details?.[0]?.field === "topic", "the field that is wrong");

const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const image = await uploadImage(new File([Buffer.from(pixel, "base64")], "me.png"));
check((await fetch(image)).headers.get("Content-Type") === "image/webp", "the image");
check(Array.isArray(sessions), "the sessions by the generated types");

console.log(JSON.stringify({ request: request.id, scheduled: body }));
process.exit();
