// Puts the page together: the address is the state; whatever is done changes the address, and what is shown follows it.
import * as api from './api.js';
import {Grid} from './grid.js';
import {library} from './library.js';
import {apart, count, make, modelName, sentence} from './make.js';
import {watch} from './progress.js';
import * as query from './query.js';
import * as viewer from './viewer.js';
import {marked, wanted} from './words.js';

const $ = id => document.getElementById(id);
const results = $('results'), chips = $('chips');
const filters = ['path', 'label', 'type', 'size', 'after', 'before', 'min'], fields = filters.filter(name => name !== 'size');
const types = ['JPEG', 'PNG', 'GIF', 'WebP', 'AVIF', 'HEIC', 'TIFF', 'BMP', 'SVG', 'JXL', 'JP2', 'PNM', 'ICO'];
const before = 14; // letters before the first found word under a tile
let state = query.empty(), status = null, grids = [], asked = null;

// ---- notices ----

let quiet;
function hush() {
  document.querySelectorAll('.notices > *').forEach(box => box.replaceChildren());
}

// What is URGENT stays until it is dismissed, or something else is said.
function say(text, urgent = false) {
  hush();
  clearTimeout(quiet);
  // Under the large view the rest of the page is out of reach, for the eye and for a screen reader.
  const box = document.querySelector(`${viewer.open() ? '#viewer' : 'body'} > .notices > [role=${urgent ? 'alert' : 'status'}]`);
  box.append(text);
  if (urgent) box.append(make('button', {'aria-label': 'Dismiss', onclick: hush}, '×'));
  else quiet = setTimeout(hush, 5000);
}

// ---- the address ----

// MARK says what the entry of the history is: 'open', one of its own for a picture that is shown large, or 'closed', when it was. The next picture takes
// that one, or each would be a step back. An address that came with a picture has no entry before it to step back to.
function go(changes, replace = false, mark = null) {
  const next = {...state, ...changes};
  slid = '';
  history[replace ? 'replaceState' : 'pushState'](mark, '', query.format(next));
  follow();
}

function follow() {
  const next = query.parse(location.search), before = asked;
  state = next;
  asked = query.format({...next, open: 0});
  drawHead();
  if (asked !== before) drawResults();
  drawViewer();
  // What had the focus may be gone: the next Tab begins at the results, not at the head of the page.
  const focused = document.activeElement;
  if (before !== null && (focused === document.body || focused.closest('dialog:not([open])'))) results.focus({preventScroll: true});
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
  let failed = false;
  say(files.length > 1 ? `Sending ${files.length} pictures…` : 'Sending the picture…');
  for (const file of files) {
    try {
      const {upload} = await api.upload(file);
      await keepThumb(upload, file);
      terms.push({kind: 'upload', value: upload, weight: 1});
    } catch (error) {
      say(`${file.name ? apart(file.name) : 'The picture'}: ${error.message}`, true);
      failed = true;
    }
  }
  if (!terms.length) return;
  if (!failed) hush();
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

// The names of pictures that were met, by their numbers.
const names = new Map();
const learn = items => items.forEach(item => { if (item.id) names.set(String(item.id), item.name); });
const label = term => term.kind === 'text' ? term.value : term.kind === 'id' ? names.get(term.value) ?? `picture ${term.value}` : 'your picture';

async function learnNames() {
  const unknown = state.terms.filter(term => term.kind === 'id' && !names.has(term.value)).map(term => term.value);
  if (!unknown.length) return;
  unknown.forEach(id => names.set(id, `picture ${id}`)); // asked for once
  await Promise.all(unknown.map(id => api.picture(id).then(item => learn([item]), () => {})));
  drawHead();
}

// What tells the terms apart: a chip stays the same element, and keeps the focus, while others come and go.
const keys = terms => terms.map((term, i) => `${term.kind} ${terms.slice(0, i).filter(other => other.kind === term.kind && other.value === term.value).length} ${term.value}`);
let slid = ''; // whose weight was changed last: its steps are one step back

function makeChip(key, {kind, value: what}) {
  const at = () => keys(state.terms).indexOf(key);
  const set = changes => ({terms: state.terms.map((other, j) => j === at() ? {...other, ...changes} : other), open: 0});
  const source = kind === 'id' ? `/api/pictures/${what}/thumb?side=160` : kind === 'upload' ? sessionStorage.getItem(`thumb ${what}`) ?? '/icon.svg' : null;
  const image = source ? make('img', {src: source, alt: '', onerror: () => { image.src = '/icon.svg'; }}) : null;
  const name = make('span', {class: 'label', dir: 'auto'}), value = make('output');
  const sign = make('button', {class: 'sign', onclick: () => go(set({weight: -state.terms[at()].weight || -1}))});
  const slider = make('input', {type: 'range', min: -2, max: 2, step: 0.1, oninput: event => { value.textContent = Number(event.target.value).toFixed(1); },
    onchange: event => {
      go(set({weight: Number(event.target.value)}), slid === key);
      slid = key;
    }});
  const remove = make('button', {class: 'remove', onclick: () => go({terms: state.terms.filter((_, j) => j !== at()), open: 0})}, '×');
  const chip = make('li', {class: 'chip'}, image, name, sign, slider, value, remove);
  chip.draw = term => {
    const said = label(term), away = term.weight < 0;
    chip.classList.toggle('minus', away);
    name.textContent = name.title = said;
    value.textContent = term.weight.toFixed(1);
    if (Number(slider.value) !== term.weight) slider.value = term.weight;
    sign.textContent = away ? '−' : '+';
    sign.title = away ? `Towards ${said} instead of away` : `Away from ${said}`;
    slider.setAttribute('aria-label', `Weight of ${said}`);
    for (const [button, text] of [[sign, sign.title], [remove, `Remove ${said}`]]) button.setAttribute('aria-label', text);
  };
  return chip;
}

const chipped = new Map();
function drawChips() {
  const wanted = keys(state.terms), at = [...chips.children].findIndex(chip => chip.contains(document.activeElement));
  for (const [key, chip] of chipped)
    if (!wanted.includes(key)) {
      chip.remove();
      chipped.delete(key);
    }
  wanted.forEach((key, i) => {
    if (!chipped.has(key)) chipped.set(key, makeChip(key, state.terms[i]));
    const chip = chipped.get(key);
    if (chips.children[i] !== chip) chips.insertBefore(chip, chips.children[i] ?? null);
    chip.draw(state.terms[i]);
  });
  if (at >= 0 && !chips.contains(document.activeElement)) (chips.children[Math.min(at, chips.children.length - 1)]?.querySelector('.remove') ?? $('words')).focus();
}

function options(select, none, chosen) {
  const models = status?.models ?? [], listed = models.map(model => model.name).join('\n');
  if (select.listed !== listed) {
    select.replaceChildren(make('option', {value: ''}, none), ...models.map(model => make('option', {value: model.name}, modelName(model.name))));
    select.listed = listed;
  }
  select.value = chosen;
}

// By which of several ways words are to find pictures.
function drawWays() {
  const ways = ['', ...status?.by ?? []];
  if (state.by && !ways.includes(state.by)) ways.push(state.by); // of an address: what is wrong with it is said below
  $('ways').hidden = ways.length < 3 || !query.hasWords(state);
  if ($('ways').listed !== ways.join()) {
    $('ways').replaceChildren($('ways').firstElementChild, ...ways.map(way => make('label', {}, make('input', {type: 'radio', name: 'way', value: way, onchange: () => go({by: way, open: 0})}),
      make('span', {}, way ? way[0].toUpperCase() + way.slice(1) : 'All'))));
    $('ways').listed = ways.join();
  }
  for (const radio of $('ways').querySelectorAll('input')) radio.checked = radio.value === state.by;
}

$('type').append(make('option', {value: ''}, 'any'), ...types.map(type => make('option', {value: type.toLowerCase()}, type)));

function drawHead() {
  const searching = state.terms.length > 0 && state.view !== 'library', filtered = filters.some(name => state[name]);
  drawChips();
  $('options').hidden = !searching;
  $('fold').checked = state.fold;
  const [from, to] = query.sizes(state.size), shown = {...Object.fromEntries(fields.map(name => [name, state[name]])), 'size-from': from, 'size-to': to};
  for (const [id, value] of Object.entries(shown)) if ($(id) !== document.activeElement) $(id).value = value; // not from under who types
  drawWays();
  if (filtered) $('filters').open = true;
  $('clear').hidden = !filtered;
  options($('model'), 'automatic', state.model);
  options($('compare'), 'none', state.compare);
  $('compare-box').hidden = (status?.models.length ?? 0) < 2;
  const narrow = matchMedia('(max-width: 760px)').matches, words = !status || status.by.length;
  $('words').placeholder = words ? (narrow ? 'Words, or a picture' : 'Words, or drop or paste a picture') : narrow ? 'Needs a picture' : 'Drop or paste a picture';
  if (state.view === 'library') $('to-library').setAttribute('aria-current', 'page');
  else $('to-library').removeAttribute('aria-current');
  document.title = state.view === 'library' ? 'Library · memelens' : state.terms.length ? `${state.terms.map(label).join(', ')} · memelens` : 'memelens';
  learnNames();
}

$('search').addEventListener('submit', event => {
  event.preventDefault();
  const value = $('words').value.trim();
  if (!value) return $('words').focus();
  $('words').value = '';
  go({terms: [...state.terms, {kind: 'text', value, weight: 1}], view: '', open: 0});
});
$('fold').addEventListener('change', event => go({fold: event.target.checked, open: 0}));
for (const id of ['size-from', 'size-to'])
  $(id).addEventListener('change', () => go({size: query.size($('size-from').value, $('size-to').value), open: 0}));
for (const name of ['model', 'compare', ...fields])
  $(name).addEventListener('change', event => go({[name]: event.target.value, open: 0}));
function clearFilters() {
  $('filters').querySelector('summary').focus(); // the button goes
  go({...Object.fromEntries(filters.map(name => [name, ''])), open: 0});
}
$('clear').addEventListener('click', clearFilters);
for (const [id, changes] of [['home', query.empty()], ['to-library', {...query.empty(), view: 'library'}]])
  $(id).addEventListener('click', event => {
    if (event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    go(changes);
  });

// ---- the results ----

function counted(answer) {
  return answer.results.length ? `${count(answer.compared)} pictures in ${(1000 * answer.seconds).toFixed(answer.seconds < 0.01 ? 1 : 0)} ms` : '';
}

const toLibrary = text => make('a', {href: '?view=library', onclick: event => { event.preventDefault(); go({...query.empty(), view: 'library'}); }}, text);
const whyNot = () => toLibrary('Why can’t I find it?');

function nothing() {
  const filtered = filters.some(name => state[name]);
  return make('div', {class: 'state', role: 'status'}, make('p', {}, filtered ? 'Nothing that the filters let through is like that.' : 'Nothing is like that.'),
    filtered ? make('p', {}, make('button', {onclick: clearFilters}, 'Clear the filters')) : null, whyNot());
}

function failure(error, grid) {
  const again = make('button', {onclick: () => { if (grid.items.length) return grid.again(); asked = null; follow(); }}, 'Try again');
  return make('div', {class: grid.items.length ? 'state late' : 'state', role: 'alert'}, sentence(error.message), error.status === 0 || error.status >= 500 ? again : whyNot());
}

function wall(model) {
  const box = make('div', {class: 'answer'}), root = make('div'), head = make('h2', {}, model ? modelName(model) : '…'), much = make('p', {class: 'fine', role: 'status'});
  const sought = wanted(state.terms);
  if (state.compare) box.append(head, much);
  box.append(root);
  const grid = new Grid(root, {
    load: (n, offset, signal) => api.search(query.request(state, model, n, offset), signal),
    text: item => marked(item.snippet, sought, before),
    open: item => { chosen = grid; go({open: item.id}, history.state === 'closed', 'open'); },
    told: (got, self) => {
      learn(got.results);
      const first = !self.answer;
      self.answer ??= got; // of this wall: beside it another model may answer
      if (!first) return state.open && drawEnds();
      head.textContent = modelName(got.model);
      if (state.compare) self.wall.setAttribute('aria-label', `Results of ${modelName(got.model)}`);
      if (state.compare) much.textContent = counted(got);
      else $('count').textContent = got.results.length ? `${counted(got)} · ${modelName(got.model)}` : '';
      if (!self.items.length) self.after.replaceChildren(nothing());
      if (self === (chosen ?? grids[0])) drawViewer();
    },
    failed: (error, self) => {
      if (!self.answer) head.textContent = model ? modelName(model) : 'automatic';
      self.after.replaceChildren(failure(error, self));
    },
  });
  grids.push(grid);
  return box;
}

let chosen = null;
function drawResults() {
  grids.forEach(grid => grid.close());
  grids = [];
  chosen = null;
  $('count').textContent = '';
  results.className = state.compare && state.terms.length && !state.view ? 'two' : '';
  if (state.view === 'library') return library(results, say);
  if (!state.terms.length) return drawStart();
  scrollTo(0, 0);
  results.replaceChildren(make('h1', {class: 'visually-hidden'}, 'Results'));
  results.append(wall(state.model));
  if (state.compare) results.append(wall(state.compare));
}

async function drawStart() {
  try {
    status ??= await api.status();
  } catch (error) {
    if (state.terms.length || state.view) return; // something else is shown by now
    results.replaceChildren(make('div', {class: 'state', role: 'alert'}, make('p', {}, error.message), make('button', {onclick: () => { asked = null; follow(); }}, 'Try again')));
    return;
  }
  if (state.terms.length || state.view) return;
  learn(status.samples);
  if (!status.pictures) {
    results.replaceChildren(make('div', {class: 'state'}, make('h1', {}, 'Nothing is indexed yet'), make('p', {}, 'Bring a folder in:'), make('pre', {}, 'memelens index ~/Pictures'),
      status.may_add ? make('p', {}, toLibrary('or name one here')) : null));
    return;
  }
  const word = sample => make('button', {class: 'sample', onclick: () => go({terms: [{kind: 'text', value: sample.text, weight: 1}]})}, sample.text);
  const seen = sample => make('button', {class: 'sample picture', 'aria-label': `More like ${sample.name}`, onclick: () => go({terms: [{kind: 'id', value: String(sample.id), weight: 1}]})},
    make('img', {src: sample.thumb, alt: '', loading: 'lazy'}));
  results.replaceChildren(make('div', {class: 'start'}, make('h1', {}, 'Find the picture again'),
    make('p', {}, `Drop, paste or photograph a picture that looks like it${status.by.length ? ', or say what is in it' : ''}. ${count(status.pictures)} pictures are in. For example:`),
    make('div', {class: 'samples'}, ...status.samples.filter(sample => sample.text).map(word)),
    make('div', {class: 'samples'}, ...status.samples.filter(sample => sample.id).map(seen))));
}

// ---- the large view ----

const place = () => {
  const grid = chosen ?? grids[0], at = grid ? grid.items.findIndex(item => item.id === state.open) : -1;
  return {grid, at, first: at <= 0, last: at < 0 || (at === grid.items.length - 1 && !grid.more)};
};

function drawEnds() {
  const {first, last} = place();
  if (viewer.open()) viewer.ends(first, last);
}

const close = () => go({open: 0}, true, history.state === 'open' ? 'closed' : null);

async function step(by) {
  const {grid, at} = place();
  if (at < 0) return;
  if (at + by > grid.items.length - 10) grid.next();
  const item = grid.items[at + by];
  if (item) go({open: item.id}, true, history.state);
}

async function drawViewer() {
  if (!state.open) return viewer.hide();
  const {grid, at, first, last} = place();
  let item = grid?.items[at];
  if (!item) {
    if (grid && !grid.items.length && grid.loading) return; // the answer will call again
    const wanted = state.open;
    try {
      item = await api.picture(wanted);
      learn([item]);
      if (state.open !== wanted) return;
    } catch (error) {
      if (state.open !== wanted) return;
      close();
      return say(error.message, true);
    }
  }
  viewer.show(item, {
    sought: wanted(state.terms),
    terms: state.terms.map(term => ({label: label(term), by: {[term.kind]: term.value}})),
    model: grid?.answer?.model ?? (grid && grids[1] === grid ? state.compare : state.model),
    first,
    last,
    handlers: {
      say,
      step,
      closed: () => {
        if (!state.open) return;
        const {grid, at} = place();
        close();
        if (at >= 0) grid.focus(at);
      },
      like: other => go({terms: [{kind: 'id', value: String(other.id), weight: 1}], open: 0}),
      add: other => go({terms: [...state.terms, {kind: 'id', value: String(other.id), weight: 1}].slice(0, 32), open: 0}),
    },
  });
}

// ---- beginning ----

addEventListener('popstate', () => { slid = ''; follow(); });
watch({say, done: async () => {
  viewer.renew();
  status = await api.status().catch(() => status);
  drawHead();
  // The library is told anew; of what there is to begin with only those see something new who look at nothing yet.
  if (state.view === 'library') library(results, say);
  else if (!state.terms.length && !results.contains(document.activeElement)) drawStart();
}});
follow();
api.status().then(got => { status = got; drawHead(); }, () => {});
