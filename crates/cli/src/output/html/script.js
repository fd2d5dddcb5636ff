// Sorts, filters and pages the table of instances. The state is kept in the address after `#`, so
// that a view can be kept and shared.
"use strict";
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const PAGE = 100;
  const find = (selector) => document.querySelector(selector);
  const [table, controls, search, count, pages] =
    ["#fleet", "#controls", "#q", "#count", ".pages"].map(find);
  const body = table.tBodies[0];
  const buttons = [...table.tHead.rows[0].cells].map((head) =>
    head.appendChild(
      Object.assign(document.createElement("button"), {
        type: "button",
        textContent: head.textContent,
      }),
    ),
  );
  const selects = [...controls.querySelectorAll("select")];
  const columns = buttons.map((button) => button.parentElement.className);
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const value = (row, column) => row.cells[columns.indexOf(column)];
  const shown = (row, column) => {
    const cell = value(row, column);
    return cell.dataset.f ?? cell.textContent;
  };
  const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  for (const entry of rows) {
    entry.of = Object.fromEntries(selects.map(({ dataset: { c } }) => [c, shown(entry.row, c)]));
  }
  for (const select of selects) {
    const values = new Set(rows.map((entry) => entry.of[select.dataset.c]));
    values.delete("");
    for (const text of [...values].sort(order.compare)) select.add(new Option(text, text));
  }

  let state;
  let sorted = { key: "", rows };
  let matching = rows;
  let visible = [];

  const key = ({ row }, column) => {
    const cell = value(row, column);
    const text = cell.dataset.k ?? cell.textContent;
    return text === "" ? null : text;
  };
  const numeric = (column) => column === "h" || column === "u";
  const compare = (a, b, column, down) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const found = numeric(column) ? a - b : order.compare(a, b);
    return down ? -found : found;
  };

  function sort() {
    const wanted = state.sort && `${state.sort} ${state.down}`;
    if (sorted.key === wanted) return;
    const keyed = rows.map((entry) => [state.sort && key(entry, state.sort), entry]);
    if (state.sort) keyed.sort(([a], [b]) => compare(a, b, state.sort, state.down));
    sorted = { key: wanted, rows: keyed.map(([, entry]) => entry) };
    // Thousands of rows move ten times as fast outside the page.
    body.remove();
    body.append(...sorted.rows.map((entry) => entry.row));
    table.append(body);
  }

  function show() {
    sort();
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const filters = selects.map(({ dataset: { c } }) => [c, state[c]]).filter(([, v]) => v);
    matching = sorted.rows.filter(
      ({ text, of }) =>
        words.every((word) => text.includes(word)) && filters.every(([c, v]) => of[c] === v),
    );
    const kept = new Set(matching);
    for (const entry of rows) entry.row.classList.toggle("out", !kept.has(entry));
    const last = Math.max(0, Math.ceil(matching.length / PAGE) - 1);
    state.page = Math.min(state.page, last);
    for (const { row } of visible) row.classList.remove("on");
    const from = state.page * PAGE;
    visible = matching.slice(from, from + PAGE);
    for (const { row } of visible) row.classList.add("on");
    describe(from, last);
  }

  function describe(from, last) {
    const number = (n) => n.toLocaleString("en-GB");
    const range = Object.assign(document.createElement("span"), {
      className: "range",
      textContent: `${number(from + 1)}–${number(from + visible.length)} of `,
    });
    const some = matching.length < rows.length;
    count.replaceChildren(
      visible.length < matching.length ? range : "",
      number(matching.length) + (matching.length === 1 ? " instance" : " instances"),
      some ? ` that match, of ${number(rows.length)}` : "",
    );
    pages.hidden = last === 0;
    pages.replaceChildren(
      step("Previous", state.page > 0, -1),
      Object.assign(document.createElement("span"), {
        textContent: `Page ${number(state.page + 1)} of ${number(last + 1)}`,
      }),
      step("Next", state.page < last, 1),
    );
    for (const button of buttons) {
      const mine = button.parentElement.className === state.sort;
      const direction = state.down ? "descending" : "ascending";
      button.parentElement.setAttribute("aria-sort", mine ? direction : "none");
    }
    search.value = state.q;
    for (const select of selects) select.value = state[select.dataset.c];
  }

  function step(text, possible, by) {
    const button = Object.assign(document.createElement("button"), {
      type: "button",
      textContent: text,
      disabled: !possible,
    });
    button.addEventListener("click", () => {
      change({ page: state.page + by });
      find("#all").scrollIntoView();
      [...pages.querySelectorAll("button:enabled")]
        .sort((a, b) => (b.textContent === text) - (a.textContent === text))[0]
        ?.focus({ preventScroll: true });
    });
    return button;
  }

  function change(what) {
    state = { ...state, page: 0, ...what };
    show();
    const kept = Object.entries(state).filter(([name, v]) => v && name !== "page");
    history.replaceState(null, "", "#" + new URLSearchParams(kept));
  }

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const sortable = columns.includes(given.get("sort"));
    state = { q: given.get("q") ?? "", page: 0 };
    state.sort = sortable ? given.get("sort") : "";
    state.down = sortable && given.get("down") === "true";
    for (const { dataset: { c }, options } of selects) {
      const known = [...options].some((option) => option.value === given.get(c));
      state[c] = known ? given.get(c) : "";
    }
    show();
  }

  search.addEventListener("input", () => change({ q: search.value }));
  for (const select of selects) {
    select.addEventListener("change", () => change({ [select.dataset.c]: select.value }));
  }
  for (const button of buttons) {
    const column = button.parentElement.className;
    button.addEventListener("click", () =>
      change({ sort: column, down: state.sort === column && !state.down }),
    );
  }
  find("#reset").addEventListener("click", () => {
    history.replaceState(null, "", "#");
    read();
    search.focus();
  });
  addEventListener("hashchange", () => {
    read();
    find("#all").scrollIntoView();
  });
  controls.hidden = false;
  read();
});
