/** The example flows of the API guide. */

import { check, type Client, connect, ok } from "./client";
import type { components } from "./schema";

type Session = components["schemas"]["Session"];
type MentorshipRequest = components["schemas"]["MentorshipRequest"];

export interface Cast {
  /** The base URL, with /api. */
  api: string;
  mentorToken: string;
  menteeToken: string;
  /** Resolves once it is as late as that. */
  timePasses: (until: string) => Promise<void>;
}

const LINK = "https://meet.google.com/abc-def-ghi";

export async function allFlows({ api, mentorToken, menteeToken, timePasses }: Cast) {
  const mentor = connect(api, mentorToken);
  const mentee = connect(api, menteeToken);
  const mentorId = await setUpAvailability(mentor);

  const request = await book(connect(api), mentee, mentorId);
  const session = await acceptOldest(mentor);
  check(session.requestId === request.id, "the session of that request");
  await seeItComing(mentee, session);
  const moved = await reschedule(mentor, mentee, session);
  await timePasses(moved.endTime);
  await settle(mentor, mentee, moved);

  await book(connect(api), mentee, mentorId);
  const missed = await acceptOldest(mentor);
  // A quarter of an hour after its end a session waits for the mentee's word by itself.
  await timePasses(minutesAfter(missed.endTime, 15));
  await dispute(mentee, missed);

  return { mentorId, dashboard: await ok(mentor.GET("/mentor/dashboard")) };
}

/** Flow 3. */
async function setUpAvailability(mentor: Client): Promise<string> {
  const { isProfileCreated, profile: none } = await ok(mentor.GET("/mentor/me"));
  check(!isProfileCreated && none === null, "no profile yet");
  const availability = await ok(
    mentor.PUT("/mentor/availability", {
      body: {
        sessionDuration: 60,
        bufferTime: 15,
        timezone: "WAT",
        defaultMeetingLink: LINK,
        slots: [
          { dayOfWeek: 0, startTime: "09:00", endTime: "10:00" },
          { dayOfWeek: 0, startTime: "10:00", endTime: "11:00" },
          { dayOfWeek: 0, startTime: "11:00", endTime: "12:00" },
          { dayOfWeek: 1, startTime: "14:00", endTime: "15:00" },
          { dayOfWeek: 1, startTime: "15:00", endTime: "16:00" },
          { dayOfWeek: 6, startTime: "15:00", endTime: "16:00" },
        ],
      },
    }),
  );
  const sunday = availability.slots.find((slot) => slot.dayOfWeek === 6);
  check(sunday !== undefined, "the window on Sunday");
  await ok(
    mentor.DELETE("/mentor/availability/{windowId}", {
      params: { path: { windowId: sunday.id } },
    }),
  );
  const profile = await ok(
    mentor.PATCH("/mentor/me", {
      body: {
        headline: "Senior Software Engineer",
        expertise: ["Career guidance", "Mock interviews"],
        sessionRate: 5000,
        sessionCurrency: "NGN",
      },
    }),
  );
  return profile.id;
}

/** Flow 1: up to the request. */
async function book(
  anybody: Client,
  mentee: Client,
  mentorId: string,
): Promise<MentorshipRequest> {
  const mentors = await ok(anybody.GET("/mentors"));
  check(mentors.some(({ id }) => id === mentorId), "the mentor among all");
  const found = await ok(
    anybody.GET("/mentors/search", { params: { query: { q: "career" } } }),
  );
  check(found[0]?.id === mentorId, "the mentor to be found");
  const path = { mentorId };
  const mentor = await ok(anybody.GET("/mentors/{mentorId}", { params: { path } }));
  const { slots } = await ok(
    anybody.GET("/mentors/{mentorId}/availability", { params: { path } }),
  );
  const slot = slots[0];
  check(slot !== undefined && slots.length >= 5, "two weeks of times");
  const active = await ok(
    mentee.GET("/requests/my-requests/{mentorId}", { params: { path } }),
  );
  check(active.length === 0, "no active request");

  const body = {
    mentorId,
    topic: "Career advice",
    message: "I want to discuss…",
    scheduledDate: slot.date,
    scheduledTime: slot.startTime,
  };
  const key = { "Idempotency-Key": crypto.randomUUID() };
  const first = await mentee.POST("/requests", { body, headers: key });
  const request = await ok(Promise.resolve(first));
  check(first.response.status === 201, "201");
  check(first.response.headers.get("Location") === `/api/requests/${request.id}`, "Location");
  check(request.status === "pending", "a pending request");
  check(request.location === mentor.defaultMeetingLink, "the mentor's meeting link");

  const again = await mentee.POST("/requests", { body, headers: key });
  check(again.response.headers.get("Idempotent-Replayed") === "true", "a replayed response");
  check((await ok(Promise.resolve(again))).id === request.id, "the same request");
  const { error } = await mentee.POST("/requests", { body });
  check(error?.message === "You already have a pending request", "a refusal in words");
  check(error.statusCode === 409 && error.error === "Conflict", "the guide's error format");
  return request;
}

/** Flow 2: up to the session. */
async function acceptOldest(mentor: Client): Promise<Session> {
  const count = await ok(mentor.GET("/requests/pending-count"));
  check(count === 1, "one pending request");
  const pending = await ok(
    mentor.GET("/requests", { params: { query: { role: "received", status: "pending" } } }),
  );
  const oldest = pending.at(-1);
  check(oldest !== undefined && pending.length === count, "as many as counted");
  const { request, booking } = await ok(
    mentor.POST("/requests/{requestId}/accept", {
      params: { path: { requestId: oldest.id } },
    }),
  );
  check(request.status === "accepted" && request.bookingId === booking.id, "an accepted request");
  check(booking.status === "confirmed", "a confirmed session");
  return booking;
}

/** Flow 1: the session, and the mentee's calendar. */
async function seeItComing(mentee: Client, { id }: Session): Promise<void> {
  const upcoming = await ok(
    mentee.GET("/sessions", { params: { query: { role: "mentee", upcoming: true } } }),
  );
  check(upcoming.length === 1 && upcoming[0]?.id === id, "the session to come");
  const calendar = await calendarOf(mentee, id);
  check(calendar.includes(`UID:${id}`) && calendar.includes(`URL:${LINK}`), "an event");
  check(calendar.includes("SEQUENCE:0"), "its first version");
}

async function reschedule(mentor: Client, mentee: Client, session: Session): Promise<Session> {
  const moved = await ok(
    mentor.PUT("/sessions/{sessionId}/reschedule", {
      params: { path: { sessionId: session.id } },
      body: {
        newStartTime: minutesAfter(session.startTime, 30),
        newEndTime: minutesAfter(session.endTime, 30),
      },
    }),
  );
  check(moved.status === "rescheduled", "a rescheduled session");
  check((await calendarOf(mentee, session.id)).includes("SEQUENCE:1"), "its second version");
  return moved;
}

async function calendarOf(party: Client, sessionId: string): Promise<string> {
  const result = await party.GET("/sessions/{sessionId}/calendar.ics", {
    params: { path: { sessionId } },
    parseAs: "text",
  });
  const name = result.response.headers.get("Content-Disposition");
  check(name?.includes(`filename="session-${sessionId}.ics"`) === true, "a name to save it by");
  return ok(Promise.resolve(result));
}

/** Flow 2: from the end of the session to its review. */
async function settle(mentor: Client, mentee: Client, { id }: Session): Promise<void> {
  const params = { path: { sessionId: id } };
  const early = await mentee.POST("/sessions/{sessionId}/review", {
    params,
    body: { rating: 5 },
  });
  check(early.error?.message === "Can only review completed sessions", "no review yet");

  const over = await ok(mentor.POST("/sessions/{sessionId}/complete", { params }));
  check(over.status === "pending_completion", "pending completion");
  const done = await ok(mentee.POST("/sessions/{sessionId}/confirm-completion", { params }));
  check(done.status === "completed" && done.review === null, "a completed session");
  const reviewed = await ok(
    mentee.POST("/sessions/{sessionId}/review", {
      params,
      body: { rating: 5, comment: "Excellent session!" },
    }),
  );
  check(reviewed.review?.rating === 5, "the review");
}

/** Flow 4. */
async function dispute(mentee: Client, { id }: Session): Promise<void> {
  const waiting = await ok(
    mentee.GET("/sessions", {
      params: { query: { role: "mentee", status: "pending_completion" } },
    }),
  );
  check(waiting.length === 1 && waiting[0]?.id === id, "the session in question");
  const disputed = await ok(
    mentee.POST("/sessions/{sessionId}/dispute", { params: { path: { sessionId: id } } }),
  );
  check(disputed.status === "disputed", "a disputed session");
}

function minutesAfter(instant: string, minutes: number): string {
  return new Date(Date.parse(instant) + minutes * 60_000).toISOString();
}
