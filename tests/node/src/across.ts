/** What a page can do and see on another origin than the API's. */

import { check, connect, ok } from "./client";

export async function across(api: string) {
  const anybody = connect(api);
  const one = { params: { query: { limit: 1 } } };

  const first = await anybody.GET("/mentors", {
    ...one,
    headers: { "X-Request-Id": "from-the-page" },
  });
  const header = (name: string) => first.response.headers.get(name);
  check(header("X-Request-Id") === "from-the-page", "its own X-Request-Id");
  check(header("X-Total-Count") === "2", "X-Total-Count");

  const next = /^<(.+)>; rel="next"$/.exec(header("Link") ?? "")?.[1];
  check(next !== undefined, "Link");
  const second = await fetch(new URL(next, first.response.url));
  const [other] = (await second.json()) as { id: string }[];
  check(other !== undefined && other.id !== first.data?.[0]?.id, "the next page");
  check(second.headers.get("Link") === null, "no page after the last");

  const tag = header("ETag");
  check(tag !== null, "ETag");
  const same = await anybody.GET("/mentors", { ...one, headers: { "If-None-Match": tag } });
  check(same.response.status === 304, "304");
  check(same.response.headers.get("ETag") === tag, "the same ETag");

  const unauthorized = await connect(api, "no token").GET("/sessions");
  check(unauthorized.error?.statusCode === 401, "a 401 that can be read");
  const missing = await fetch(`${api}/nowhere`);
  check(missing.status === 404 && (await missing.json()).error === "Not Found", "a readable 404");
  const large = await fetch(`${api}/requests`, { method: "POST", body: "x".repeat(2_000_000) });
  check(large.status === 413 && (await large.json()).statusCode === 413, "a readable 413");
}

/** A picture drawn on the page becomes the mentor's. */
export async function upload(api: string, token: string): Promise<string> {
  const canvas = new OffscreenCanvas(64, 64);
  canvas.getContext("2d")?.fillRect(8, 8, 48, 48);
  const form = new FormData();
  form.append("file", await canvas.convertToBlob(), "me.png");
  const profile = await ok(
    connect(api, token).PATCH("/mentor/profile-image", {
      body: { file: "" },
      bodySerializer: () => form,
    }),
  );
  check(profile.profileImageUrl !== null, "a picture");
  const image = new Image();
  image.src = new URL(profile.profileImageUrl, api).href;
  await image.decode();
  check(image.naturalWidth === 64, "the picture that was sent");
  return profile.profileImageUrl;
}
