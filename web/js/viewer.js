// The large view: the picture, what is known of it, why it came up, and what the encoder saw.
import * as api from './api.js';
import {apart, bytes, make, sentence} from './make.js';
import {marked} from './words.js';

const dialog = document.getElementById('viewer');
const image = dialog.querySelector('figure img'), title = dialog.querySelector('h2'), texts = dialog.querySelector('.texts'), facts = dialog.querySelector('dl');
const actions = dialog.querySelector('.actions'), more = dialog.querySelector('.more');
const previous = dialog.querySelector('.previous'), next = dialog.querySelector('.next');
let shown = null, events = null, kept = [], asked = 0;

function release() {
  kept.forEach(url => URL.revokeObjectURL(url));
  kept = [];
  more.replaceChildren();
}

function fact(name, value) {
  if (value) facts.append(make('dt', {}, name), make('dd', {}, value));
}

const written = new Map(); // what is written about the pictures that were shown
export const renew = () => written.clear(); // more may have been read in them

function drawTexts({captions, read}, sought) {
  const said = [...new Set(captions)];
  texts.replaceChildren(...said.map(text => make('p', {dir: 'auto'}, ...marked(text, sought))),
    ...read ? [make('h3', {}, 'Read in the picture'), make('p', {dir: 'auto'}, ...marked(read, sought))] : []);
  texts.hidden = !texts.hasChildNodes();
  texts.scrollTop = 0;
}

// What is written about ITEM, once it is known.
async function tellTexts(item, sought) {
  if (!written.has(item.id)) {
    try {
      const {captions, read} = item.captions ? item : await api.picture(item.id);
      written.set(item.id, {captions, read});
    } catch { // it is gone by now: what is shown says so
      return;
    }
  }
  if (shown?.id === item.id) drawTexts(written.get(item.id), sought);
}

// "text #1 · look #3": the ways that have it, best first.
const ways = found => Object.entries(found ?? {}).sort((a, b) => a[1].rank - b[1].rank).map(([way, {rank}]) => `${way} #${rank.toLocaleString('en')}`).join(' · ');

async function told(work, say) {
  const of = shown, turn = ++asked;
  const put = parts => {
    if (of !== shown || turn !== asked) return; // another picture, or something else about this one, was asked for since
    more.replaceChildren(...parts);
    more.scrollIntoView({block: 'nearest'});
  };
  put([make('p', {class: 'working'}, say)]);
  try {
    const parts = await work();
    // Once they have their size, so that the view can go there.
    await Promise.all(parts.filter(part => part.decode).map(part => part.decode().catch(() => {})));
    put(parts);
  } catch (error) {
    put([sentence(error.message)]);
  }
}

const why = (item, by, model) => told(async () => {
  const answer = await api.explain(item.id, model ? {...by, model} : by);
  return [make('p', {}, answer.text), make('img', {src: answer.image, alt: 'The score laid over the picture, and below it what the encoder saw'}),
    make('p', {class: 'fine'}, `What adds to the score is warm, what takes from it cold. ${answer.model}: ${answer.method}.`)];
}, 'Working it out…');

const seen = (item, model) => told(async () => {
  const answer = await api.seen(item.id, model);
  kept.push(answer.url);
  return [make('p', {}, `The encoder saw ${Math.round(100 * Math.min(1, answer.share))} % of this picture, like this:`),
    make('img', {class: 'seen', src: answer.url, alt: 'The prepared picture'})];
}, 'Preparing it…');

async function copyPicture(say) {
  if (!image.naturalWidth) return say('There is no picture to be copied.');
  try {
    const canvas = make('canvas', {width: image.naturalWidth, height: image.naturalHeight});
    canvas.getContext('2d').drawImage(image, 0, 0);
    const blob = new Promise(done => canvas.toBlob(done, 'image/png'));
    await navigator.clipboard.write([new ClipboardItem({'image/png': blob})]);
    say('The picture is in the clipboard.');
  } catch {
    say('This browser does not let a page copy pictures here (it wants https or localhost).');
  }
}

async function copyText(text, say) {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    say(text);
  }
}

function load(item) {
  image.classList.add('loading');
  image.onload = () => image.classList.remove('loading');
  image.onerror = () => { // a kind that browsers do not know
    image.onerror = () => { image.onerror = null; image.classList.remove('loading'); image.alt = `${item.name} cannot be shown`; };
    image.src = `${item.thumb}&side=1280`;
  };
  image.src = item.file;
  image.alt = item.name;
}

// ITEM is a result. TERMS: what was searched for and can be explained, [{label, by: {text}|{id}|{upload}}]. SOUGHT: its words. HANDLERS: closed, step(by), like(item), add(item), say(text).
export function show(item, {terms, sought, model, first, last, handlers}) {
  release();
  if (shown?.id !== item.id || !image.hasAttribute('src')) load(item);
  shown = item;
  events = handlers;
  title.textContent = item.name;
  if (!written.has(item.id)) drawTexts({captions: [], read: ''}, sought);
  tellTexts(item, sought);
  facts.replaceChildren();
  fact('Found by', ways(item.found_by));
  if (item.score != null) fact('Score', item.score.toFixed(4));
  if (terms.length > 1) item.terms?.forEach((term, i) => fact(`· ${terms[i]?.label ?? 'term'}`, `${term.share >= 0 ? '+' : ''}${term.share.toFixed(3)} (cosine ${term.cosine.toFixed(3)})`));
  if (item.stands_for > 1) fact('Stands for', `${item.stands_for} near-identical pictures`);
  fact('Size', `${item.width} × ${item.height}, ${bytes(item.bytes)} ${item.format}`);
  fact('Changed', new Date(item.modified).toLocaleString());
  fact('Path', item.path);
  actions.replaceChildren(
    make('button', {class: 'primary', onclick: () => events.like(item)}, 'More like this'),
    make('button', {onclick: () => events.add(item)}, 'Add to the query'),
    ...terms.map(({label, by}) => make('button', {class: 'why', onclick: () => why(item, by, model)}, terms.length > 1 ? `Why “${apart(label)}”?` : 'Why?')),
    make('button', {onclick: () => seen(item, model)}, 'What the encoder saw'),
    make('button', {onclick: () => copyPicture(events.say)}, 'Copy picture'),
    item.path ? make('button', {onclick: () => copyText(item.path, events.say)}, 'Copy path') : null,
    make('a', {class: 'button', href: `${item.file}?download=1`}, 'Download'));
  ends(first, last);
  if (!dialog.open) dialog.showModal();
}

// Whether there is one before and one after it. What has the focus does not go from under it.
export function ends(first, last) {
  const focused = document.activeElement;
  previous.disabled = first;
  next.disabled = last;
  if (focused?.disabled) (focused === next ? previous : next).focus();
}

export const open = () => dialog.open;

export function hide() {
  if (dialog.open) dialog.close();
}

dialog.querySelector('.close').onclick = hide;
previous.onclick = () => events.step(-1);
next.onclick = () => events.step(1);
dialog.addEventListener('click', event => { if (event.target === dialog) hide(); });
dialog.addEventListener('keydown', event => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === 'ArrowLeft') events.step(-1);
  if (event.key === 'ArrowRight') events.step(1);
});
dialog.addEventListener('close', () => {
  release();
  shown = null;
  image.onload = image.onerror = null;
  image.removeAttribute('src');
  events?.closed();
});
