import { allFlows } from "./flows";
import { say, timePasses } from "./talk";

const [api, mentorToken, menteeToken] = process.argv.slice(2) as [string, string, string];
say(await allFlows({ api, mentorToken, menteeToken, timePasses }));
process.exit();
