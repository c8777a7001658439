// The editor of the profile mapper: colours behind the textarea, and the names
// of the user's attributes on Ctrl+Space. Without scripts the textarea alone
// does everything else.
"use strict";
(function () {
  var area = document.getElementById("f-script");
  if (!area || !window.console_) return;
  var box = area.parentNode, user = document.getElementById("f-user");

  // What a line is made of, in the order in which it is looked for.
  var pieces = /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`(?:[^`\\]|\\[\s\S])*`?)|\b(\d[\w.]*)\b|\b(async|await|break|case|catch|const|continue|default|delete|do|else|false|finally|for|function|if|in|instanceof|let|new|null|of|return|switch|this|throw|true|try|typeof|undefined|var|void|while|module|exports)\b/g;
  var classes = [null, "comment", "text", "number", "key"];

  var paint = document.createElement("pre");
  paint.className = "paint";
  paint.setAttribute("aria-hidden", "true");
  box.insertBefore(paint, area);
  box.classList.add("painted");

  function colour() {
    var text = area.value, at = 0, m;
    paint.textContent = "";
    if (text.length > 200000) { box.classList.remove("painted"); return; } // colours would take longer than typing
    box.classList.add("painted");
    pieces.lastIndex = 0;
    while ((m = pieces.exec(text))) {
      if (m[0] === "") { pieces.lastIndex++; continue; }
      paint.appendChild(document.createTextNode(text.slice(at, m.index)));
      for (var i = 1; i < classes.length; i++) if (m[i] !== undefined) {
        var span = document.createElement("span");
        span.className = "syn-" + classes[i];
        span.textContent = m[0];
        paint.appendChild(span);
      }
      at = m.index + m[0].length;
    }
    paint.appendChild(document.createTextNode(text.slice(at) + "\n"));
    scroll();
  }
  function scroll() {
    paint.style.height = area.clientHeight + "px";
    paint.style.width = area.clientWidth + "px";
    paint.scrollTop = area.scrollTop;
    paint.scrollLeft = area.scrollLeft;
  }
  area.addEventListener("input", colour);
  area.addEventListener("scroll", scroll);
  window.addEventListener("resize", scroll);
  if (window.ResizeObserver) new ResizeObserver(scroll).observe(area);
  colour();

  // Completion.
  var names = [], of = null, list = document.createElement("ul"), chosen = 0;
  list.className = "complete";
  list.hidden = true;
  list.id = "complete";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Attributes");
  box.appendChild(list);

  function load() {
    var name = user.value.trim();
    if (name === of) return Promise.resolve();
    return console_.post("/profile-mapper/names", new URLSearchParams({ user: name })).then(function (r) {
      if (!r.ok) return console_.fault(r).then(function (t) { throw new Error(t); });
      return r.json().then(function (d) { names = d.names; of = name; });
    });
  }
  function word() {
    var before = area.value.slice(0, area.selectionStart);
    return /[\w;-]*$/.exec(before)[0];
  }
  function hide() { list.hidden = true; area.removeAttribute("aria-activedescendant"); }
  function show() {
    var begun = word().toLowerCase();
    var fit = names.filter(function (n) { return n.toLowerCase().indexOf(begun) === 0; });
    if (!fit.length) fit = names.filter(function (n) { return n.toLowerCase().indexOf(begun) > 0; });
    list.textContent = "";
    fit.slice(0, 12).forEach(function (n, i) {
      var li = document.createElement("li");
      li.textContent = n;
      li.id = "complete-" + i;
      li.setAttribute("role", "option");
      li.addEventListener("mousedown", function (e) { e.preventDefault(); take(n); });
      list.appendChild(li);
    });
    list.hidden = !fit.length;
    chosen = 0;
    mark();
    console_.say(fit.length ? fit.length + " attributes" : "No attribute begins so. Name a user below.");
  }
  function mark() {
    for (var i = 0; i < list.children.length; i++) list.children[i].setAttribute("aria-selected", i === chosen ? "true" : "false");
    if (list.children[chosen]) console_.say(list.children[chosen].textContent);
  }
  function take(name) {
    var end = area.selectionStart, start = end - word().length;
    if (/\.$/.test(area.value.slice(0, start)) && !/^[A-Za-z_$][\w$]*$/.test(name)) { start--; name = "[" + JSON.stringify(name) + "]"; }
    area.setRangeText(name, start, end, "end");
    hide();
    colour();
    area.focus();
  }
  area.addEventListener("keydown", function (e) {
    if (e.key === " " && e.ctrlKey) {
      e.preventDefault();
      load().then(show).catch(function (x) { console_.say(x.message); });
      return;
    }
    if (list.hidden) return;
    if (e.key === "Escape") hide();
    else if (e.key === "ArrowDown") chosen = (chosen + 1) % list.children.length;
    else if (e.key === "ArrowUp") chosen = (chosen + list.children.length - 1) % list.children.length;
    else if (e.key === "Enter" || e.key === "Tab") take(list.children[chosen].textContent);
    else return;
    e.preventDefault();
    mark();
  });
  area.addEventListener("blur", hide);
  area.addEventListener("input", function () { if (!list.hidden) show(); });
})();
