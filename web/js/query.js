// The query, and the address that stands for it: everything that is shown can be shared, and the back button works.

const texts = ['by', 'model', 'compare', 'path', 'label', 'type', 'size', 'after', 'before', 'min', 'view'];
export const empty = () => ({terms: [], fold: false, ...Object.fromEntries(texts.map(name => [name, ''])), open: 0});

const kinds = {t: 'text', id: 'id', u: 'upload'};
const letters = {text: 't', id: 'id', upload: 'u'};

// "t:a cat", "t*-0.5:dog", "id:17", "u:HASH"
function parseTerm(text) {
  const match = /^(t|id|u)(?:\*(-?[0-9.]+))?:(.*)$/s.exec(text);
  const weight = match ? Number(match[2] ?? 1) : NaN;
  if (!match || !Number.isFinite(weight) || !match[3]) return null;
  if (match[1] === 'id' && !/^[1-9][0-9]{0,17}$/.test(match[3])) return null;
  if (match[1] === 'u' && !/^[0-9a-f]{32}$/.test(match[3])) return null;
  return {kind: kinds[match[1]], value: match[3], weight};
}

export function parse(address) {
  const from = new URLSearchParams(address), state = empty();
  state.terms = from.getAll('q').map(parseTerm).filter(Boolean).slice(0, 32);
  for (const name of texts) state[name] = from.get(name) ?? '';
  if (state.view !== 'library') state.view = ''; // there is no other
  state.fold = from.get('fold') === '1';
  state.open = Number(from.get('open')) || 0;
  return state;
}

export function format(state) {
  const to = new URLSearchParams();
  for (const term of state.terms) to.append('q', `${letters[term.kind]}${term.weight === 1 ? '' : `*${term.weight}`}:${term.value}`);
  for (const name of texts) if (state[name]) to.set(name, state[name]);
  if (state.fold) to.set('fold', '1');
  if (state.open) to.set('open', String(state.open));
  const text = to.toString();
  return text ? `?${text}` : '/';
}

// "400..800" as what its two fields say, and back.
export const sizes = text => /^([0-9]*)(?:\.\.([0-9]*))?$/.exec(text)?.slice(1).map(side => side ?? '') ?? ['', ''];
export const size = (from, to) => from || to ? `${from}..${to}` : '';

export const hasWords = state => state.terms.some(term => term.kind === 'text');

// What POST /api/search takes.
export function request(state, model, n, offset) {
  const asked = {terms: state.terms.map(term => ({[term.kind]: term.kind === 'id' ? Number(term.value) : term.value, weight: term.weight})), n, offset};
  if (model) asked.model = model;
  if (state.fold) asked.fold = true;
  for (const name of ['by', 'path', 'label', 'type', 'size', 'after', 'before']) if (state[name]) asked[name] = state[name];
  if (state.min !== '' && Number.isFinite(Number(state.min))) asked.min_score = Number(state.min);
  return asked;
}
