"use strict";
/* The report of `memelens compare`. Everything shown is in the element #data; docs/COMPARE.md describes it. Parts: helpers, figures, who is
 * better, chart, the unexpected, rows with their filters, one picture large, how it was made. */

const data = JSON.parse(document.getElementById("data").textContent);
const models = data.models.filter((m) => !m.error);
const METRICS = [["p_at_1", "P@1"], ["hit_at_3", "hit@3"], ["hit_at_10", "hit@10"], ["mrr", "MRR"]];
const VERDICTS = { good: "good", kinda: "kinda", bad: "bad", unexpected: "unexpected", unjudged: "not judged" };
const $ = (id) => document.getElementById(id);

/* ---- helpers ---- */

/* An element: node("p", {class: "soft"}, "text", child, ...). Text is text, never markup. */
function node(name, attributes, ...children) {
    const svg = ["svg", "g", "line", "circle", "rect", "text", "path", "marker", "title", "image", "defs"].includes(name);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
        if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
        else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
}

const number = (value, digits) => (typeof value === "number" ? value.toFixed(digits) : "–");
const signed = (value, digits) => (value > 0 ? "+" : value < 0 ? "−" : "±") + Math.abs(value).toFixed(digits);
const bytes = (value) => (typeof value === "number" ? (value / 1e6).toFixed(1) + " MB" : "–");
const name_of = (path) => (path || "").split("/").pop();

/* A button with picture INDEX; where MODEL is given and the switch is on, as that model saw it, and with the map of WHY laid over. */
function picture(index, options = {}) {
    const thumb = data.thumbs[index];
    const seen = options.model && data.seen[options.model] && data.seen[options.model][index];
    const as_seen = Boolean(seen && (state.seen || (state.why && options.map)));
    const source = as_seen ? seen : thumb && thumb.data;
    const label = options.title || (thumb ? name_of(thumb.path) : "a picture");
    const button = node("button", { type: "button", class: "picture", "aria-label": "enlarge " + label, title: label });
    if (source) button.append(node("img", { src: source, alt: "", decoding: "async", class: as_seen ? "pixels" : null }));
    if (as_seen && state.why && options.map) button.append(heat(options.map.grid, options.map.parts));
    button.addEventListener("click", () => enlarge(index, options, button));
    return button;
}

/* The map as a small canvas that is stretched: orange where it adds to the score, blue where it takes from it. */
function heat(grid, parts) {
    const canvas = node("canvas", { width: grid, height: grid, "aria-hidden": "true" });
    const context = canvas.getContext("2d"), image = context.createImageData(grid, grid);
    const most = Math.max(...parts.map(Math.abs)) || 1;
    parts.forEach((part, i) => {
        const strength = Math.abs(part) / most;
        image.data.set([...(part >= 0 ? [255, 140, 0] : [40, 110, 255]), Math.round(215 * strength * strength)], 4 * i);
    });
    context.putImageData(image, 0, 0);
    return canvas;
}

function select_of(element, options, value) {
    element.replaceChildren(...options.map(([key, text]) => node("option", { value: key, selected: key === value }, text)));
}

/* ---- the head ---- */

function draw_head() {
    const judged = data.queries.judged, count = data.queries.count;
    $("lead").textContent = `${data.pictures.count.toLocaleString("en")} pictures with ${data.pictures.labels} labels, ${count} ${count === 1 ? "query" : "queries"} (${judged} judged), ${models.length} ${models.length === 1 ? "encoder" : "encoders"}; ${data.date.slice(0, 10)}.`;
    for (const model of data.models) {
        if (model.error) $("notes").append(node("li", {}, `${model.model} could not be run: ${model.error}`));
        if (model.seen_note) $("notes").append(node("li", { class: "warning" }, model.seen_note + "."));
    }
    for (const note of data.notes) if (!/ could not be run: /.test(note)) $("notes").append(node("li", {}, note));
}

/* ---- figures ---- */

function bar(model, metric) {
    const value = model[metric], interval = (model.intervals || {})[metric];
    if (typeof value !== "number" || !interval) return null;
    const x = (v) => 100 * v;
    return node("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
        node("line", { x1: 0, x2: 100, y1: 4, y2: 4, class: "axis", "stroke-width": 1 }),
        node("line", { x1: x(interval[0]), x2: x(interval[1]), y1: 4, y2: 4, class: "mark", "stroke-width": 2 }),
        node("rect", { x: Math.min(98, Math.max(0, x(value) - 1)), y: 0, width: 2, height: 8, class: "mark" }));
}

const COLUMNS = [
    { head: "model", value: (m) => m.model, text: (m) => m.model },
    ...METRICS.map(([key, head]) => ({ head, value: (m) => m[key], metric: key, better: 1 })),
    ...["good", "kinda", "bad", "unexpected"].map((v) => ({ head: v, value: (m) => m.verdicts[v], text: (m) => String(m.verdicts[v]) })),
    { head: "pictures/s", value: (m) => m.pictures_per_second, text: (m) => number(m.pictures_per_second, 0), better: 1 },
    { head: "index", value: (m) => m.index_seconds, text: (m) => number(m.index_seconds, 1) + " s", better: -1 },
    { head: "processor", value: (m) => m.processor_seconds, text: (m) => number(m.processor_seconds, 1) + " s", better: -1 },
    { head: "peak memory", value: (m) => m.peak_memory_bytes, text: (m) => bytes(m.peak_memory_bytes), better: -1 },
    { head: "library", value: (m) => m.library_bytes, text: (m) => bytes(m.library_bytes), better: -1 },
    { head: "query", value: (m) => m.query_ms, text: (m) => number(m.query_ms, 1) + " ms", better: -1 },
    { head: "seen", value: (m) => m.seen_share, text: (m) => (typeof m.seen_share === "number" ? Math.round(100 * m.seen_share) + " %" : "–") },
];

function draw_figures(by, descending) {
    const rows = [...models];
    if (by >= 0) {
        const value = COLUMNS[by].value;
        rows.sort((a, b) => { const x = value(a) ?? -Infinity, y = value(b) ?? -Infinity; return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1); });
    }
    const best = COLUMNS.map((c) => (c.better ? Math.max(...models.map((m) => (typeof c.value(m) === "number" ? c.value(m) * c.better : -Infinity))) : null));
    const head = node("tr", {}, ...COLUMNS.map((column, i) => node("th", { scope: "col", "aria-sort": i === by ? (descending ? "descending" : "ascending") : "none" },
        node("button", { type: "button", onclick: () => { draw_figures(i, i === by ? !descending : i > 0); $("figures").querySelectorAll("thead button")[i].focus(); } }, column.head))));
    const body = rows.map((model) => node("tr", {}, ...COLUMNS.map((column, i) => {
        const top = column.better && models.length > 1 && column.value(model) * column.better === best[i] ? "best" : null;
        if (!column.metric) return node(i ? "td" : "th", { scope: i ? null : "row", class: top }, column.text(model));
        const interval = (model.intervals || {})[column.metric];
        return node("td", { class: top }, number(model[column.metric], 3),
            interval ? node("span", { class: "interval" }, `${number(interval[0], 3)} to ${number(interval[1], 3)}`) : null, bar(model, column.metric));
    })));
    $("figures").replaceChildren(node("thead", {}, head), node("tbody", {}, ...body));
}

/* ---- who is better ---- */

/* What the pair of A and B says about METRIC, from A's side; null where there is no pair. */
function pair_of(a, b, metric) {
    for (const pair of data.pairs) {
        if (pair.a === a && pair.b === b) return pair[metric];
        if (pair.a === b && pair.b === a) {
            const other = pair[metric];
            return { ...other, difference: -other.difference, interval: [-other.interval[1], -other.interval[0]] };
        }
    }
    return null;
}

function draw_better() {
    if (models.length < 2) { $("better").append(node("p", {}, "One encoder alone has no one to be better than.")); return; }
    const told = [];
    for (const pair of data.pairs)
        for (const [key, head] of METRICS)
            if (pair[key].better) {
                const a = pair[key].better, b = a === pair.a ? pair.b : pair.a, d = pair_of(a, b, key);
                told.push(node("li", {}, `${a} finds more than ${b}: ${head} ${signed(d.difference, 3)} (${number(d.interval[0], 3)} to ${number(d.interval[1], 3)}).`));
                break;
            }
    const untold = data.pairs.length - told.length;
    if (untold) told.push(node("li", {}, `${told.length ? "The other" : "All"} ${untold} ${untold === 1 ? "pair" : "pairs"}: too few queries to tell.`));
    const table = node("table", { class: "versus" }, node("caption", { class: "small" }, "P@1 of the row less that of the column; ▲ better, ▼ worse, · too few queries to tell"),
        node("thead", {}, node("tr", {}, node("td", {}), ...models.map((m) => node("th", { scope: "col" }, m.model)))),
        node("tbody", {}, ...models.map((row) => node("tr", {}, node("th", { scope: "row" }, row.model), ...models.map((column) => {
            const d = row === column ? null : pair_of(row.model, column.model, "p_at_1");
            if (!d) return node("td", {}, "");
            const kind = !d.better ? "none" : d.better === row.model ? "win" : "lose";
            return node("td", { class: kind, title: `${signed(d.difference, 3)}, ${number(d.interval[0], 3)} to ${number(d.interval[1], 3)}; sign test ${d.p.toPrecision(2)}` },
                `${{ none: "·", win: "▲", lose: "▼" }[kind]} ${signed(d.difference, 3)}`, node("span", { class: "interval" }, `${number(d.interval[0], 3)} to ${number(d.interval[1], 3)}`));
        })))));
    $("better").append(node("ul", {}, ...told), node("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Differences between encoders" }, table));
}

/* ---- the chart ---- */

const COSTS = [["index_seconds", "time to index, s"], ["library_bytes", "library, MB"], ["query_ms", "query, ms"], ["peak_memory_bytes", "peak memory, MB"], ["processor_seconds", "processor time to index, s"]];

function draw_chart() {
    const cost = $("chart-x").value, metric = $("chart-y").value, scale = /bytes/.test(cost) ? 1e-6 : 1;
    const points = models.filter((m) => m[cost] > 0 && typeof m[metric] === "number").map((m) => ({ m, x: m[cost] * scale, y: m[metric], i: m.intervals[metric] }));
    const W = 760, H = 380, left = 54, right = 20, top = 16, bottom = 46;
    if (!points.length) { $("chart").replaceChildren(node("p", { class: "soft" }, "Nothing was judged.")); return; }
    const low = Math.log10(Math.min(...points.map((p) => p.x)) / 1.6), high = Math.log10(Math.max(...points.map((p) => p.x)) * 2.6);
    const x = (v) => left + (W - left - right) * (Math.log10(v) - low) / (high - low), y = (v) => top + (H - top - bottom) * (1 - v);
    const svg = node("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${metric} against ${cost}, one point for each encoder` });
    for (let v = 0; v <= 1.001; v += 0.2) svg.append(node("line", { x1: left, x2: W - right, y1: y(v), y2: y(v), class: "axis" }), node("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end", class: "soft" }, v.toFixed(1)));
    for (let e = Math.floor(low); e <= high; e++)
        for (const step of [1, 2, 5]) {
            const v = step * 10 ** e;
            if (Math.log10(v) > low && Math.log10(v) < high) svg.append(node("text", { x: x(v), y: H - bottom + 18, "text-anchor": "middle", class: "soft" }, String(+v.toPrecision(1))));
        }
    svg.append(node("text", { x: (W + left) / 2, y: H - 6, "text-anchor": "middle", class: "soft" }, COSTS.find(([k]) => k === cost)[1] + " (each step is a factor)"));
    const placed = [];
    for (const p of points.sort((a, b) => b.y - a.y)) {
        svg.append(node("line", { x1: x(p.x), x2: x(p.x), y1: y(p.i[0]), y2: y(p.i[1]), class: "mark", "stroke-width": 1.5, opacity: 0.5 }), node("circle", { cx: x(p.x), cy: y(p.y), r: 5, class: "mark" }));
        let at = y(p.y) + 4;
        while (placed.some((q) => Math.abs(q.y - at) < 15 && Math.abs(q.x - x(p.x)) < 190)) at += 15;
        placed.push({ x: x(p.x), y: at });
        const end = x(p.x) > W - 200;
        svg.append(node("text", { x: x(p.x) + (end ? -10 : 10), y: at, "text-anchor": end ? "end" : "start" }, p.m.model));
    }
    $("chart").replaceChildren(svg);
}

/* ---- the unexpected ---- */

/* What each label was taken for, laid out so that a chain reads from left to right: a node stands right of all that lead to it, cycles cut. */
function draw_graph(edges) {
    const names = [...new Set(edges.flatMap((e) => [e.from, e.to]))], level = new Map(names.map((n) => [n, 0]));
    for (let round = 0; round < names.length; round++) {
        let moved = false;
        for (const e of edges) if (e.from !== e.to && level.get(e.to) < level.get(e.from) + 1 && level.get(e.from) + 1 < names.length) { level.set(e.to, level.get(e.from) + 1); moved = true; }
        if (!moved) break;
    }
    const columns = [...new Set(level.values())].sort((a, b) => a - b), place = new Map(), WIDE = 250, TALL = 64, BOX = 180;
    let rows = 0;
    columns.forEach((l, c) => {
        const here = names.filter((n) => level.get(n) === l);
        here.forEach((n, r) => place.set(n, { x: 10 + c * WIDE, y: 14 + r * TALL }));
        rows = Math.max(rows, here.length);
    });
    const W = Math.max(columns.length * WIDE, 260), H = rows * TALL + 20;
    const svg = node("svg", { viewBox: `0 0 ${W} ${H}`, style: `max-width:${W}px`, role: "img", "aria-label": edges.map((e) => `${e.from} was taken for ${e.to}`).join("; ") },
        node("defs", {}, node("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto", markerUnits: "userSpaceOnUse" }, node("path", { d: "M0 0L8 4L0 8z", fill: "var(--unexpected)" }))));
    for (const e of edges) {
        const a = place.get(e.from), b = place.get(e.to), back = b.x <= a.x;
        const path = back ? `M${a.x + BOX / 2} ${a.y + 36}C${a.x + BOX / 2} ${a.y + 80} ${b.x + BOX / 2} ${b.y + 80} ${b.x + BOX / 2} ${b.y + 38}`
            : `M${a.x + BOX} ${a.y + 18}C${a.x + BOX + 35} ${a.y + 18} ${b.x - 35} ${b.y + 18} ${b.x - 1} ${b.y + 18}`;
        svg.append(node("path", { d: path, class: "edge", "marker-end": "url(#tip)" }, node("title", {}, `${data.rows[e.query].query}: ${e.from} was taken for ${e.to}`)));
    }
    for (const n of names) {
        const p = place.get(n), asked = edges.find((e) => e.from === n), thumb = asked && data.thumbs[data.rows[asked.query].picture];
        svg.append(node("rect", { x: p.x, y: p.y, width: BOX, height: 36, rx: 6, class: "node" }));
        if (thumb && thumb.data) svg.append(node("image", { href: thumb.data, x: p.x + 3, y: p.y + 3, width: 30, height: 30, preserveAspectRatio: "xMidYMid slice" }));
        svg.append(node("text", { x: p.x + (thumb ? 39 : 8), y: p.y + 22 }, n.length > 20 ? n.slice(0, 19) + "…" : n, node("title", {}, n)));
    }
    return node("div", { class: "graph wide", tabindex: 0, role: "region", "aria-label": "What was taken for what" }, svg);
}

function query_thumb(q) {
    const row = data.rows[q], thumb = data.thumbs[row.picture];
    return thumb && thumb.data ? node("img", { src: thumb.data, alt: name_of(row.query), title: row.query }) : node("span", { title: row.query }, row.query.slice(0, 12));
}

function draw_matrix(matrix) {
    const cells = matrix.cosines.flatMap((row, i) => row.filter((_, j) => j !== i)), low = Math.min(...cells), high = Math.max(...cells);
    const shade = (v) => `background:color-mix(in srgb, var(--accent) ${Math.round(75 * (v - low) / (high - low || 1))}%, transparent)`;
    return node("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Cosines of the queries" }, node("table", { class: "matrix" },
        node("tbody", {}, node("tr", {}, node("td", {}), ...matrix.queries.map((q) => node("th", { scope: "col" }, query_thumb(q)))),
            ...matrix.cosines.map((row, i) => node("tr", {}, node("th", { scope: "row" }, query_thumb(matrix.queries[i])),
                ...row.map((v, j) => node("td", i === j ? { class: "soft" } : { style: shade(v), title: `${data.rows[matrix.queries[i]].query} and ${data.rows[matrix.queries[j]].query}: ${v.toFixed(3)}` }, i === j ? "" : v.toFixed(2).replace("0.", "."))))))));
}

function draw_hubs(model) {
    const hubs = model.hubness, after = hubs.unhub;
    const change = METRICS.filter(([k]) => typeof after[k] === "number").map(([k, head]) => `${head} from ${number(model[k], 3)} to ${number(after[k], 3)}`).join(", ");
    const strong = hubs.skew > 1.5;
    return [node("h3", {}, "Hubs: pictures that are near to everything"),
        node("p", {}, `Among the ${hubs.k} nearest of each of ${hubs.asked.toLocaleString("en")} pictures, how often one is listed has a skew of ${number(hubs.skew, 2)} `
            + `(${strong ? "above 1.5: there are hubs" : "0 is even; below 1.5 there is not much of it"}), and ${(100 * hubs.never).toFixed(1)} % of the pictures are listed by none. `
            + `With --unhub (${after.method}) the skew is ${number(after.skew, 2)}, and ${(100 * after.never).toFixed(1)} % are listed by none${change ? "; it changes " + change : ""}.`),
        node("ul", { class: "hubs" }, ...hubs.hubs.map((hub) => node("li", {}, picture(hub.picture, { title: hub.label }), `listed ${hub.count} times`, node("br"), hub.label || "")))];
}

function draw_odd() {
    const model = models.find((m) => m.model === $("odd-model").value);
    if (!model) return;
    const parts = [];
    if (model.taken_for.length) parts.push(node("p", {}, "Wrong, yet all three results are one other label, and the encoder is as sure of it as of its right answers. What each was taken for:"), draw_graph(model.taken_for));
    else parts.push(node("p", {}, "Nothing: no query of this encoder was wrong, uniform and sure at once."));
    if (model.matrix && model.matrix.queries.length > 1) parts.push(node("h3", {}, "How alike the queries themselves are (cosines)"), draw_matrix(model.matrix));
    if (model.hubness) parts.push(...draw_hubs(model));
    $("odd").replaceChildren(...parts);
}

/* ---- the rows ---- */

const state = { verdict: "", model: "", text: "", sort: "", seen: false, why: false };
let chosen = [], built = 0;
const BATCH = 25;
const SEVERITY = { unexpected: 0, bad: 1, kinda: 2, good: 3, unjudged: 4 };
for (const row of data.rows)
    row.words_for_search = [row.query, ...row.expected, ...row.related, ...Object.values(row.other), ...Object.values(row.results).flatMap((list) => list.map((r) => r.label || ""))].join("\n").toLowerCase();

const asked_models = () => (state.model ? [state.model] : models.map((m) => m.model));

function fits(row) {
    if (state.text && !row.words_for_search.includes(state.text.toLowerCase())) return false;
    const verdicts = asked_models().map((m) => row.verdict[m]);
    if (state.verdict === "disagree") return new Set(models.map((m) => row.verdict[m])).size > 1;
    return !state.verdict || verdicts.includes(state.verdict);
}

function choose() {
    chosen = data.rows.filter(fits);
    const worst = (row) => Math.min(...asked_models().map((m) => SEVERITY[row.verdict[m]] ?? 5));
    const rank = (row) => Math.max(...asked_models().map((m) => (row.judged ? row.rank[m] ?? Infinity : -1)));
    if (state.sort) {
        const key = new Map(chosen.map((row) => [row, state.sort === "rank" ? -rank(row) : worst(row)]));
        chosen.sort((a, b) => { const x = key.get(a), y = key.get(b); return x < y ? -1 : x > y ? 1 : 0; });
    }
    $("count").textContent = `${chosen.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} queries`;
    built = 0;
    $("rows").replaceChildren();
    build(BATCH);
    remember();
}

function build(count) {
    const end = Math.min(chosen.length, built + count), parts = [];
    for (; built < end; built++) parts.push(draw_row(chosen[built]));
    $("rows").append(...parts);
}

function draw_asked(row) {
    const facts = [];
    const fact = (name, value) => { if (value) facts.push(node("dt", {}, name), node("dd", {}, value)); };
    fact("expected", row.expected.join("; "));
    if (row.unknown.length) fact("no picture here is labelled", row.unknown.join("; "));
    fact("related", row.related.join("; "));
    for (const [name, value] of Object.entries(row.other)) fact(name, value);
    return node("div", { class: "asked" }, row.words ? node("p", { class: "words" }, "“" + row.query + "”") : row.picture === undefined ? null : picture(row.picture, { title: row.query, row }),
        row.words ? null : node("div", { class: "soft" }, row.query || row.query_base64), row.error ? node("p", { class: "bad" }, row.error) : null, node("dl", {}, ...facts));
}

/* The explanation of the result at POSITION; null where there is none. */
const why_of = (row, model, position) => (row.explain[model] || [])[position] || null;

function draw_result(row, model, result, position) {
    const kind = result.relevant ? "expected" : result.related ? "related" : "other";
    const mark = { expected: node("span", { class: "mark-expected" }, "✓ expected"), related: node("span", { class: "mark-related" }, "≈ related"), other: null }[kind];
    const why = why_of(row, model, position);
    return node("li", { class: "is-" + kind }, picture(result.picture, { title: result.label || name_of(result.path), row, model, result, map: why ? { grid: why.grid, parts: why.parts } : null }),
        result.label || name_of(result.path), node("br"), node("span", { class: "soft" }, number(result.score, 3)), mark ? " " : null, mark);
}

function draw_answer(row, model) {
    const verdict = row.verdict[model], results = row.results[model], rank = row.rank[model], why = why_of(row, model, 0), share = row.seen_share[model];
    const facts = [];
    if (results && row.judged) facts.push(rank ? `first right one at ${rank.toLocaleString("en")}` : "no right one at all");
    if (row.winners.includes(model) && row.winners.length < models.length) facts.push("★ ahead");
    if (typeof share === "number" && share < 0.5) facts.push(`sees ${Math.round(100 * share)} % of the query`);
    if (state.why && why) facts.push(`first score ${number(why.score, 3)} = ${number(why.parts.reduce((a, b) => a + b, 0), 3)} from places ${signed(why.rest, 3)} from none`);
    const head = node("h4", {}, model, node("span", { class: "verdict " + verdict }, VERDICTS[verdict]), node("span", { class: "soft" }, facts.join(" · ")));
    if (!results) return node("div", { class: "answer" }, head, node("p", { class: "soft" }, row.reason[model] || row.error || ""));
    const strip = node("ul", { class: "strip" });
    if (row.picture !== undefined && (state.seen || (state.why && why)))
        strip.append(node("li", { class: "asked-as" }, picture(row.picture, { title: row.query, row, model, map: why && why.query_grid ? { grid: why.query_grid, parts: why.query_parts } : null }), "the query, as it was seen"));
    strip.append(...results.map((result, i) => draw_result(row, model, result, i)));
    return node("div", { class: "answer" }, head, strip);
}

function draw_row(row) {
    return node("article", { class: "row" }, draw_asked(row), node("div", { class: "answers" }, ...(row.error ? [] : asked_models().map((m) => draw_answer(row, m)))));
}

/* ---- one picture, large ---- */

let steps = [], at = 0, opener = null;

function enlarge(index, options, button) {
    const all = [...document.querySelectorAll("#rows .picture, #odd .picture")];
    opener = button;
    steps = all;
    at = Math.max(0, all.indexOf(button));
    show_large(index, options);
    if (!$("large").open) $("large").showModal();
    $("large").querySelector(".closes").focus();
}

function show_large(index, options) {
    const thumb = data.thumbs[index] || {}, seen = [];
    const wanted = state.seen, why = state.why;
    state.seen = true;
    state.why = true;
    for (const m of models) {
        const given = data.seen[m.model] && data.seen[m.model][index];
        if (!given) continue;
        const results = (options.row && options.row.results[m.model]) || [], place = results.findIndex((result) => result.picture === index);
        const first = options.row && options.row.picture === index ? why_of(options.row, m.model, 0) : null, why_here = place >= 0 ? why_of(options.row, m.model, place) : null;
        const own = first && first.query_grid ? { grid: first.query_grid, parts: first.query_parts } : why_here ? { grid: why_here.grid, parts: why_here.parts } : null;
        const shown = picture(index, { model: m.model, map: own });
        const still = node("span", { class: "picture" }, ...shown.childNodes);
        seen.push(node("li", {}, still, m.model));
    }
    state.seen = wanted;
    state.why = why;
    const step = (by) => () => move(by);
    $("large").replaceChildren(
        node("div", { class: "bar-top" }, node("button", { type: "button", class: "plain", onclick: step(-1) }, "← previous"), node("button", { type: "button", class: "plain", onclick: step(1) }, "next →"),
            node("button", { type: "button", class: "plain closes", onclick: () => $("large").close() }, "close")),
        thumb.data ? node("img", { class: "main", src: thumb.data, alt: thumb.label || name_of(thumb.path) }) : node("p", {}, "This picture could not be read."),
        node("p", {}, thumb.label ? node("strong", {}, thumb.label + " ") : null, options.result ? `score ${number(options.result.score, 4)} by ${options.model} ` : null, node("br"), node("code", {}, thumb.path || thumb.path_base64 || "")),
        seen.length ? node("h3", {}, "What the encoders saw of it") : null, node("ul", { class: "strip" }, ...seen));
}

function move(by) {
    if (!steps.length) return;
    at = (at + by + steps.length) % steps.length;
    steps[at].click();
}

$("large").addEventListener("close", () => { if (opener && opener.isConnected) opener.focus(); });
$("large").addEventListener("click", (event) => { if (event.target === $("large")) $("large").close(); });
document.addEventListener("keydown", (event) => {
    if (!$("large").open) return;
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") { event.preventDefault(); move(event.key === "ArrowRight" ? 1 : -1); }
});

/* ---- how it was made ---- */

function draw_how() {
    const machine = data.machine;
    const rows = models.map((m) => node("tr", {}, node("th", { scope: "row" }, m.model), node("td", {}, m.precision), node("td", {}, String(m.dim)), node("td", {}, node("code", {}, m.fingerprint))));
    $("how").append(node("p", {}, node("code", {}, data.command)),
        node("p", {}, `memelens ${data.memelens}, seed ${data.seed}; ${machine.processor}, ${machine.processors} processors, ${(machine.memory_bytes / 2 ** 30).toFixed(0)} GiB; ${machine.system}; ${data.date}.`),
        node("p", { class: "soft" }, `Pictures: ${data.pictures.folders.join(", ")}${data.pictures.found > data.pictures.count ? `, of ${data.pictures.found} a sample` : ""}; labels by ${data.pictures.labelled_by || "the names of folders and files"}${data.pictures.failed ? `; ${data.pictures.failed} could not be read` : ""}.`),
        node("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "The encoders" }, node("table", {}, node("thead", {}, node("tr", {}, ...["model", "precision", "numbers", "fingerprint"].map((h) => node("th", { scope: "col" }, h)))), node("tbody", {}, ...rows))));
}

/* ---- the address keeps the view ---- */

function remember() {
    const kept = Object.entries(state).filter(([, value]) => value).map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
    history.replaceState(null, "", kept ? "#" + kept : location.pathname + location.search);
}

function recall() {
    for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
        if (!Object.hasOwn(state, key)) continue; // an address may say anything
        state[key] = typeof state[key] === "boolean" ? value === "true" : value;
        const field = $("filters").elements[key];
        if (field.type === "checkbox") field.checked = state[key];
        else field.value = state[key];
    }
}

function start() {
    draw_head();
    draw_figures(-1, false);
    draw_better();
    select_of($("chart-x"), COSTS, "index_seconds");
    select_of($("chart-y"), METRICS, "p_at_1");
    $("chart-x").addEventListener("change", draw_chart);
    $("chart-y").addEventListener("change", draw_chart);
    draw_chart();
    const names = models.map((m) => [m.model, `${m.model} (${m.taken_for.length})`]);
    const most = [...models].sort((a, b) => b.taken_for.length - a.taken_for.length)[0];
    select_of($("odd-model"), names, (models.find((m) => m.seen_note && m.taken_for.length) || most || {}).model);
    $("odd-model").addEventListener("change", draw_odd);
    draw_odd();
    select_of($("filters").elements.model, [["", "all encoders"], ...models.map((m) => [m.model, m.model])], "");
    recall();
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    for (const kind of ["input", "change"])
        $("filters").addEventListener(kind, (event) => {
            const field = event.target, value = field.type === "checkbox" ? field.checked : field.value;
            if (state[field.name] === value) return;
            state[field.name] = value;
            choose();
        });
    choose();
    new IntersectionObserver((entries) => { if (entries.some((e) => e.isIntersecting)) while (built < chosen.length && $("more").getBoundingClientRect().top < innerHeight + 1500) build(BATCH); }, { rootMargin: "1500px" }).observe($("more"));
    addEventListener("scroll", () => { if (built < chosen.length && $("more").getBoundingClientRect().top < innerHeight + 1500) build(BATCH); }, { passive: true });
    addEventListener("beforeprint", () => build(chosen.length));
    draw_how();
}

start();
