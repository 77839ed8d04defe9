import { across, upload } from "./across";
import { allFlows } from "./flows";

declare global {
  interface Window {
    timePasses: (until: string) => Promise<void>;
    everything: typeof everything;
  }
}

async function everything(api: string, mentorToken: string, menteeToken: string) {
  const { timePasses } = window;
  const seen = await allFlows({ api, mentorToken, menteeToken, timePasses });
  await upload(api, mentorToken);
  await across(api);
  return seen;
}

window.everything = everything;
