// Sends single notifications at a constant rate, follows some of them to their end, and reads a list now and then.
// k6 run -e BASE_URL=http://127.0.0.1:8080 -e API_KEY=… -e RATE=100 -e DURATION=30s benchmarks/k6/send_notification.js
import http from "k6/http";
import { check, sleep } from "k6";
import { Counter, Trend } from "k6/metrics";

const base = __ENV.BASE_URL || "http://127.0.0.1:8080";
const rate = Number(__ENV.RATE || 100);
const duration = __ENV.DURATION || "30s";
const headers = { "Content-Type": "application/json" };
if (__ENV.API_KEY) headers["X-API-Key"] = __ENV.API_KEY;

const delivered = new Counter("delivered");
const notDelivered = new Counter("not_delivered");
const untilDelivered = new Trend("until_delivered", true);

export const options = {
  scenarios: {
    create: { executor: "constant-arrival-rate", exec: "create", rate, timeUnit: "1s", duration, preAllocatedVUs: 64, maxVUs: 256 },
    follow: { executor: "constant-arrival-rate", exec: "follow", rate: 2, timeUnit: "1s", duration, preAllocatedVUs: 20 },
    list: { executor: "constant-arrival-rate", exec: "list", rate: 2, timeUnit: "1s", duration, preAllocatedVUs: 4 },
  },
  thresholds: {
    checks: ["rate>0.999"],
    "http_req_failed{scenario:create}": ["rate<0.001"],
    not_delivered: ["count==0"],
    "http_req_duration{scenario:create}": [`p(99)<${__ENV.P99_MS || 1000}`],
    "http_req_duration{scenario:list}": [`p(99)<${__ENV.P99_MS || 1000}`],
  },
};

function send() {
  const body = {
    channel: "sms",
    recipient: `+9055${String(Math.floor(Math.random() * 1e8)).padStart(8, "0")}`,
    content: `load test ${__VU}-${__ITER}`,
    priority: ["high", "normal", "low"][__ITER % 3],
  };
  return http.post(`${base}/api/v1/notifications`, JSON.stringify(body), { headers, tags: { name: "create" } });
}

export function create() {
  check(send(), { "202": (answer) => answer.status === 202, "Location": (answer) => Boolean(answer.headers["Location"]) });
}

export function follow() {
  const made = send();
  if (!check(made, { "202": (answer) => answer.status === 202 })) return;
  for (let tries = 0; tries < 200; tries++) {
    const found = http.get(base + made.headers["Location"], { headers, tags: { name: "get" } }).json();
    if (found.final) {
      (found.status === "delivered" ? delivered : notDelivered).add(1);
      if (found.status === "delivered") untilDelivered.add(new Date(found.sent_at) - new Date(found.created_at));
      return;
    }
    sleep(0.1);
  }
  notDelivered.add(1);
}

export function list() {
  const answer = http.get(`${base}/api/v1/notifications?status=delivered`, { headers, tags: { name: "list" } });
  check(answer, { "200": (found) => found.status === 200, "a page": (found) => Array.isArray(found.json().data) });
}
