"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  const took = (ms) => (ms < 1 ? "under 1 ms" : ms + " ms");

  // Whatever comes from an agent goes into the page as text, never as markup.
  const cell = (kind, text, className) => {
    const element = document.createElement(kind);
    element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  const row = (agent) => {
    const tr = document.createElement("tr");
    const id = cell("th", agent.id);
    id.scope = "row";
    const print = cell("code", agent.thumbprint.slice(0, 8));
    print.title = agent.thumbprint;
    const certificate = document.createElement("td");
    certificate.append(print);
    tr.append(id, cell("td", agent.connection), cell("td", new Date(agent.since).toLocaleString()), cell("td", agent.version),
      certificate, cell("td", agent.remote), cell("td", agent.answered + " of " + agent.asked, "number"),
      cell("td", agent.answered ? took(agent.lastMs) : "none yet", "number"));
    return tr;
  };

  const live = (text, className) => {
    const element = byId("live");
    if (element.textContent !== text) element.textContent = text;
    element.className = "live " + className;
  };

  const events = new EventSource("/api/events");
  events.onmessage = (event) => {
    const agents = JSON.parse(event.data).agents;
    byId("agents").replaceChildren(...agents.map(row));
    byId("table").hidden = agents.length === 0;
    byId("none").hidden = agents.length !== 0;
    live("live", "up");
  };
  events.onerror = () => live("the sandbox does not answer, trying again", "lost");

  const show = (kind, says, detail) => {
    byId("outcome").hidden = false;
    byId("outcome").className = "outcome " + kind;
    byId("says").textContent = says;
    byId("detail").hidden = !detail;
    byId("detail").textContent = detail || "";
  };

  const outcome = (answer) => {
    const { err, profile } = answer.reply;
    const by = " by " + answer.agent + " in " + took(answer.tookMs);
    const detail = JSON.stringify(answer.reply, null, 2);
    if (err && err.name) show("refused", "Refused" + by + ": " + err.message, detail);
    else if (err) show("fault", "A fault, told" + by + ": " + err.message, detail);
    else if (profile) show("accepted", "Accepted" + by, detail);
    else show("fault", "Answered" + by + ", with neither a profile nor an error", detail);
  };

  byId("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = {};
    for (const name of ["connection", "username", "password"]) body[name] = byId(name).value;
    byId("send").disabled = true;
    show("", "Asking an agent …");
    try {
      const response = await fetch("/api/requests/authenticate_user", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      const answer = await response.json();
      if (response.ok) outcome(answer);
      else show("fault", answer.error.message[0].toUpperCase() + answer.error.message.slice(1) + ".");
    } catch {
      show("fault", "The sandbox does not answer.");
    } finally {
      byId("send").disabled = false;
      byId("send").focus();
    }
  });
})();
