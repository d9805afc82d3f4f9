// Puts the page together: the address is the state; whatever is done changes the address, and what is shown follows it.
import * as api from './api.js';
import {Grid} from './grid.js';
import {library} from './library.js';
import {count, make} from './make.js';
import {watch} from './progress.js';
import * as query from './query.js';
import * as viewer from './viewer.js';

const $ = id => document.getElementById(id);
const results = $('results'), chips = $('chips');
let state = query.empty(), status = null, grids = [], asked = null, answer = null;

let quiet;
function say(text) {
  $('toast').textContent = text;
  $('toast').hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => { $('toast').hidden = true; }, 5000);
}

// ---- the address ----

function go(changes, replace = false) {
  const next = {...state, ...changes};
  history[replace ? 'replaceState' : 'pushState'](null, '', query.format(next));
  follow();
}

function follow() {
  const next = query.parse(location.search), before = asked;
  state = next;
  asked = query.format({...next, open: 0});
  drawHead();
  if (asked !== before) drawResults();
  drawViewer();
}

// ---- uploads ----

// A small picture for the chip: kept with this tab, as the server gives nothing back that is not of the library.
async function keepThumb(hash, file) {
  try {
    const bitmap = await createImageBitmap(file), scale = 72 / Math.max(bitmap.width, bitmap.height);
    const canvas = make('canvas', {width: Math.max(1, bitmap.width * scale), height: Math.max(1, bitmap.height * scale)});
    canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    sessionStorage.setItem(`thumb ${hash}`, canvas.toDataURL('image/jpeg', 0.8));
  } catch { /* no small picture, then */ }
}

async function take(files) {
  const terms = [];
  say(files.length > 1 ? `Sending ${files.length} pictures…` : 'Sending the picture…');
  for (const file of files) {
    try {
      const {upload} = await api.upload(file);
      await keepThumb(upload, file);
      terms.push({kind: 'upload', value: upload, weight: 1});
    } catch (error) {
      say(`${file.name || 'The picture'}: ${error.message}`);
    }
  }
  if (!terms.length) return;
  $('toast').hidden = true;
  go({terms: [...state.terms, ...terms].slice(0, 32), view: '', open: 0});
}

for (const id of ['file', 'photo'])
  $(id).addEventListener('change', event => { take([...event.target.files]); event.target.value = ''; });
document.addEventListener('paste', event => {
  const files = [...event.clipboardData.files].filter(file => file.type.startsWith('image/'));
  if (!files.length) return;
  event.preventDefault();
  take(files);
});
let depth = 0;
const carries = event => [...(event.dataTransfer?.types ?? [])].includes('Files');
addEventListener('dragenter', event => { if (carries(event)) { depth++; $('drop').hidden = false; } });
addEventListener('dragleave', event => { if (carries(event) && --depth <= 0) { depth = 0; $('drop').hidden = true; } });
addEventListener('dragover', event => { if (carries(event)) event.preventDefault(); });
addEventListener('drop', event => {
  depth = 0;
  $('drop').hidden = true;
  if (!carries(event)) return;
  event.preventDefault();
  take([...event.dataTransfer.files]);
});

// ---- the head ----

const label = term => term.kind === 'text' ? term.value : term.kind === 'id' ? `picture ${term.value}` : 'your picture';

function chip(term, i) {
  const set = (changes, replace) => go({terms: state.terms.map((other, j) => j === i ? {...other, ...changes} : other), open: 0}, replace);
  const source = term.kind === 'id' ? `/api/pictures/${term.value}/thumb?side=160` : term.kind === 'upload' ? sessionStorage.getItem(`thumb ${term.value}`) ?? '/icon.svg' : null;
  const value = make('output', {}, term.weight.toFixed(1));
  return make('li', {class: term.weight < 0 ? 'chip minus' : 'chip'},
    source ? make('img', {src: source, alt: ''}) : null,
    make('span', {class: 'label', title: label(term)}, label(term)),
    make('button', {class: 'sign', 'aria-label': term.weight < 0 ? `Towards ${label(term)} instead of away` : `Away from ${label(term)}`, onclick: () => set({weight: -term.weight || -1})}, term.weight < 0 ? '−' : '+'),
    make('input', {type: 'range', min: -2, max: 2, step: 0.1, value: term.weight, 'aria-label': `Weight of ${label(term)}`,
      oninput: event => { value.textContent = Number(event.target.value).toFixed(1); }, onchange: event => set({weight: Number(event.target.value)})}),
    value,
    make('button', {class: 'remove', 'aria-label': `Remove ${label(term)}`, onclick: () => go({terms: state.terms.filter((_, j) => j !== i), open: 0})}, '×'));
}

function options(select, none, chosen) {
  select.replaceChildren(make('option', {value: ''}, none), ...(status?.models ?? []).map(model => make('option', {value: model.name}, model.name)));
  select.value = chosen;
}

function drawHead() {
  const searching = state.terms.length > 0 && state.view !== 'library';
  chips.replaceChildren(...state.terms.map(chip));
  $('options').hidden = !searching;
  $('fold').checked = state.fold;
  for (const name of ['path', 'after', 'before', 'min']) $(name).value = state[name];
  if (['path', 'after', 'before', 'min'].some(name => state[name])) $('filters').open = true;
  options($('model'), 'the first that can', state.model);
  options($('compare'), '—', state.compare);
  $('compare-box').hidden = (status?.models.length ?? 0) < 2;
  document.title = state.terms.length ? `${state.terms.map(label).join(', ')} · memelens` : 'memelens';
}

$('search').addEventListener('submit', event => {
  event.preventDefault();
  const value = $('words').value.trim();
  if (!value) return;
  $('words').value = '';
  go({terms: [...state.terms, {kind: 'text', value, weight: 1}], view: '', open: 0});
});
$('fold').addEventListener('change', event => go({fold: event.target.checked, open: 0}));
for (const name of ['model', 'compare', 'path', 'after', 'before', 'min'])
  $(name).addEventListener('change', event => go({[name]: event.target.value, open: 0}));
for (const [id, changes] of [['home', query.empty()], ['to-library', {...query.empty(), view: 'library'}]])
  $(id).addEventListener('click', event => {
    if (event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    go(changes);
  });

// ---- the results ----

function counted(answer) {
  const much = `${count(answer.compared)} pictures in ${(1000 * answer.seconds).toFixed(answer.seconds < 0.01 ? 1 : 0)} ms`;
  $('count').textContent = answer.results.length ? `${much} · ${answer.model}` : '';
}

function wall(model) {
  const box = make('div', {class: 'answer'});
  const root = make('div');
  if (state.compare) box.append(make('h2', {}, model || 'the first that can'));
  box.append(root);
  const grid = new Grid(root, {
    load: (n, offset, signal) => api.search(query.request(state, model, n, offset), signal),
    open: item => { chosen = grid; go({open: item.id}); },
    told: (got, self) => {
      if (self.items.length === got.results.length) { answer = got; counted(got); drawViewer(); }
      if (!self.items.length) self.wall.append(make('p', {class: 'state'}, 'Nothing is like that. ', make('a', {href: '?view=library'}, 'Why can’t I find it?')));
    },
    failed: (error, self) => self.wall.append(make('div', {class: 'state', role: 'alert'}, make('p', {}, error.message),
      error.status === 0 || error.status >= 500 ? make('button', {onclick: () => { asked = null; follow(); }}, 'Try again') : make('a', {href: '?view=library'}, 'Why can’t I find it?'))),
  });
  grids.push(grid);
  return box;
}

let chosen = null;
function drawResults() {
  grids.forEach(grid => grid.close());
  grids = [];
  chosen = answer = null;
  $('count').textContent = '';
  results.className = state.compare ? 'two' : '';
  if (state.view === 'library') return library(results, say);
  if (!state.terms.length) return drawStart();
  scrollTo(0, 0);
  results.replaceChildren();
  results.append(wall(state.model));
  if (state.compare) results.append(wall(state.compare));
}

async function drawStart() {
  try {
    status ??= await api.status();
  } catch (error) {
    results.replaceChildren(make('div', {class: 'state', role: 'alert'}, make('p', {}, error.message), make('button', {onclick: () => { asked = null; follow(); }}, 'Try again')));
    return;
  }
  if (state.terms.length || state.view) return;
  if (!status.pictures) {
    results.replaceChildren(make('div', {class: 'state'}, make('h1', {}, 'Nothing is indexed yet'), make('p', {}, 'Bring a folder in:'), make('pre', {}, 'memelens index ~/Pictures')));
    return;
  }
  const word = sample => make('button', {class: 'sample', onclick: () => go({terms: [{kind: 'text', value: sample.text, weight: 1}]})}, sample.text);
  const seen = sample => make('button', {class: 'sample picture', 'aria-label': `More like ${sample.name}`, onclick: () => go({terms: [{kind: 'id', value: String(sample.id), weight: 1}]})},
    make('img', {src: sample.thumb, alt: '', loading: 'lazy'}));
  results.replaceChildren(make('div', {class: 'start'}, make('h1', {}, 'Find the picture again'),
    make('p', {}, `Drop, paste or photograph a picture that looks like it${status.models.some(model => model.words) ? ', or say what is in it' : ''}. ${count(status.pictures)} pictures are in. For example:`),
    make('div', {class: 'samples'}, ...status.samples.filter(sample => sample.text).map(word)),
    make('div', {class: 'samples'}, ...status.samples.filter(sample => sample.id).map(seen))));
}

// ---- the large view ----

async function drawViewer() {
  if (!state.open) return viewer.hide();
  const grid = chosen ?? grids[0];
  let at = grid ? grid.items.findIndex(item => item.id === state.open) : -1, item = grid?.items[at];
  if (!item) {
    if (grid && !grid.items.length && grid.loading) return; // the answer will call again
    try {
      const wanted = state.open;
      item = await api.picture(wanted);
      if (state.open !== wanted) return;
    } catch (error) {
      say(error.message);
      return go({open: 0}, true);
    }
  }
  const term = state.terms.find(one => one.weight > 0) ?? state.terms[0];
  viewer.show(item, {
    by: term ? {[term.kind]: term.value} : null,
    terms: answer?.terms,
    model: grid && grids[1] === grid ? state.compare : state.model || answer?.model,
    first: at <= 0,
    last: at < 0 || at === grid.items.length - 1,
    handlers: {
      say,
      closed: () => { if (state.open) { go({open: 0}, true); if (at >= 0) grid.focus(at); } },
      step: by => { const next = at < 0 ? null : grid.items[at + by]; if (next) { if (at + by > grid.items.length - 10) grid.next(); go({open: next.id}, true); } },
      like: other => go({terms: [{kind: 'id', value: String(other.id), weight: 1}], open: 0}),
      add: other => go({terms: [...state.terms, {kind: 'id', value: String(other.id), weight: 1}].slice(0, 32), open: 0}),
    },
  });
}

// ---- beginning ----

addEventListener('popstate', follow);
watch({say, done: async () => { status = await api.status().catch(() => status); if (!state.terms.length) { asked = null; follow(); } }});
follow();
api.status().then(got => { status = got; drawHead(); }, () => {});
