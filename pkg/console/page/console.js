// What a page does beyond what it does without scripts. Nothing here makes
// markup of what a directory or a user says: parts come from the server, made
// there by templates.
"use strict";
(function () {
  var doc = document;
  var meta = doc.querySelector('meta[name="csrf"]');
  var token = meta ? meta.content : "";

  // Addresses of the console before this one: /#configuration.
  function old() {
    var name = decodeURIComponent(location.hash.slice(1)).replace(/[^a-z-]/g, "");
    if (!name || location.pathname !== "/") return;
    var link = doc.querySelector('nav a[data-hash~="' + name + '"]');
    if (link) location.replace(link.href);
  }
  try { old(); } catch (e) { /* a hash that is no text is nobody's address */ }
  window.addEventListener("hashchange", function () { try { old(); } catch (e) { /* as above */ } });

  // Times, in the viewer's zone with UTC beside.
  function times(root) {
    var all = root.querySelectorAll("time[datetime]:not([data-done])");
    for (var i = 0; i < all.length; i++) {
      var t = all[i], at = new Date(t.getAttribute("datetime"));
      if (isNaN(at)) continue;
      t.setAttribute("data-done", "");
      if (at.getTimezoneOffset() === 0) continue;
      var local = at.toLocaleString([], { year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" });
      var utc = t.textContent;
      t.textContent = local;
      if (t.hasAttribute("data-short")) { t.title = utc; continue; }
      var beside = doc.createElement("span");
      beside.className = "muted small";
      beside.textContent = " " + utc;
      t.appendChild(beside);
    }
  }

  function say(text) {
    var said = doc.getElementById("said");
    if (said && text) said.textContent = text;
  }

  function post(path, body) {
    return fetch(path, { method: "POST", body: body, credentials: "same-origin", redirect: "manual", headers: { "X-CSRF-Token": token, "X-Console-Live": "1" } });
  }

  function get(path) {
    return fetch(path, { credentials: "same-origin", headers: { "X-Console-Live": "1" } });
  }

  // Calls each for every line of a live answer.
  function lines(response, each) {
    if (!response.ok || !response.body) return fault(response).then(function (text) { throw new Error(text); });
    var reader = response.body.getReader(), decoder = new TextDecoder(), rest = "";
    function next() {
      return reader.read().then(function (r) {
        rest += r.done ? decoder.decode() : decoder.decode(r.value, { stream: true });
        var parts = rest.split("\n");
        rest = parts.pop();
        parts.forEach(function (p) { if (p) each(JSON.parse(p)); });
        if (!r.done) return next();
      });
    }
    return next();
  }

  // What an answer that is none says.
  function fault(response) {
    if (response.status === 401) {
      location.assign("/login?to=" + encodeURIComponent(location.pathname));
      return Promise.resolve("You are no longer logged in.");
    }
    return response.text().then(function (text) {
      try { var d = JSON.parse(text); return d.error + (d.hint ? " " + d.hint : ""); } catch (e) { return text || "It did not answer."; }
    });
  }

  // Puts a part that the server has made into an element.
  function put(element, text, more) {
    var holder = doc.createElement("template");
    holder.innerHTML = text;
    if (!more) element.textContent = "";
    element.appendChild(holder.content);
    times(element);
  }

  // <form data-live="#target">: its answer comes line by line.
  function follow(form) {
    var target = doc.querySelector(form.getAttribute("data-live"));
    var running = null;
    form.addEventListener("submit", function (e) {
      var button = e.submitter;
      if (button && button.hasAttribute("data-plain")) return;
      e.preventDefault();
      if (running) { running.abort(); running = null; return; }
      var body = new URLSearchParams(new FormData(form, button || undefined));
      var how = { credentials: "same-origin", headers: { "X-Console-Live": "1" } };
      var path = (button && button.getAttribute("formaction")) || form.getAttribute("action") || location.pathname;
      if (form.method === "post") {
        how.method = "POST"; how.body = body; how.headers["X-CSRF-Token"] = token;
      } else path += "?" + body;
      running = new AbortController();
      how.signal = running.signal;
      var label = button && button.textContent;
      if (button) button.textContent = button.getAttribute("data-stop") || "Stop";
      target.textContent = "";
      target.setAttribute("aria-busy", "true");
      fetch(path, how).then(function (r) {
        return lines(r, function (d) {
          var into = d.into ? doc.querySelector(d.into) : target;
          if (d.html && into) {
            var end = into.scrollHeight - into.scrollTop - into.clientHeight < 40;
            put(into, d.html, !d.replace);
            while (into.children.length > 2000) into.removeChild(into.firstChild);
            if (end) into.scrollTop = into.scrollHeight;
          }
          if (d.say) say(d.say);
          if (d.error) throw new Error(d.error);
        });
      }).catch(function (e) {
        if (e.name === "AbortError") { say("Stopped."); return; }
        var p = doc.createElement(target.tagName === "OL" || target.tagName === "UL" ? "li" : "p");
        p.className = "note bad";
        p.textContent = e.message;
        target.appendChild(p);
        say(e.message);
      }).then(function () {
        running = null;
        if (button) button.textContent = label;
        target.removeAttribute("aria-busy");
      });
    });
  }

  // <div data-refresh="/path" data-every="5">: replaced by what the path says.
  function refresh(element) {
    var path = element.getAttribute("data-refresh"), every = 1000 * Number(element.getAttribute("data-every") || 5);
    var was = element.getAttribute("data-say");
    function again() { if (!element.querySelector("[data-ended]")) setTimeout(tick, every); }
    function tick() {
      if (doc.hidden || element.contains(doc.activeElement)) return again();
      get(path).then(function (r) {
        if (!r.ok) return fault(r).then(say);
        return r.text().then(function (text) {
          put(element, text);
          var part = element.querySelector("[data-say]"), now = part && part.getAttribute("data-say");
          if (now && now !== was) { say(now); was = now; }
        });
      }).catch(function () { say("The connector does not answer."); }).then(again);
    }
    again();
  }

  // <pre data-copy>: a button that copies it.
  function copy(element) {
    if (!navigator.clipboard) return;
    var b = doc.createElement("button");
    b.type = "button"; b.className = "quiet small"; b.textContent = "Copy";
    b.addEventListener("click", function () {
      navigator.clipboard.writeText(element.textContent.trim()).then(function () { say("Copied."); b.textContent = "Copied"; });
    });
    element.insertAdjacentElement("afterend", b);
  }

  function all(selector, f) { Array.prototype.forEach.call(doc.querySelectorAll(selector), f); }
  times(doc);
  all("form[data-live]", follow);
  all("[data-refresh]", refresh);
  all("[data-copy]", copy);
  all("[data-script]", function (e) { e.hidden = false; }); // what takes a script to be of use
  var wrong = doc.getElementById("faults") || doc.querySelector("[aria-invalid=true]");
  if (wrong) wrong.focus();
  // An answer to a login keeps the old address that was asked for.
  var to = doc.querySelector('form[action="/login"] input[name="to"]');
  if (to && location.hash) {
    var p = "/" + location.hash.slice(1).replace(/[^a-z-]/g, "");
    if (p !== "/") to.value = p === "/troubleshoot" ? "/troubleshooting" : p;
  }

  window.console_ = { post: post, get: get, lines: lines, fault: fault, replaceHTML: put, times: times, say: say };
})();
