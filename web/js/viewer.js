// The large view: the picture, what is known of it, why it came up, and what the encoder saw.
import * as api from './api.js';
import {bytes, make} from './make.js';

const dialog = document.getElementById('viewer');
const image = dialog.querySelector('figure img'), title = dialog.querySelector('h2'), facts = dialog.querySelector('dl');
const actions = dialog.querySelector('.actions'), more = dialog.querySelector('.more');
let shown = null, events = null, kept = [];

function release() {
  kept.forEach(url => URL.revokeObjectURL(url));
  kept = [];
  more.replaceChildren();
}

function fact(name, value) {
  if (value) facts.append(make('dt', {}, name), make('dd', {}, value));
}

async function told(work, say) {
  more.replaceChildren(make('p', {class: 'working'}, say));
  const of = shown;
  try {
    const parts = await work();
    if (of === shown) more.replaceChildren(...parts);
  } catch (error) {
    if (of === shown) more.replaceChildren(make('p', {class: 'kind'}, error.message));
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

// ITEM is a result. HANDLERS: closed, step(by), like(item), add(item), say(text). BY: what explains it ({text}|{id}|{upload}), or null.
export function show(item, {by, terms, model, first, last, handlers}) {
  release();
  shown = item;
  events = handlers;
  image.onerror = () => { image.onerror = null; image.src = `${item.thumb}&side=1280`; }; // a kind that browsers do not know
  image.src = item.file;
  image.alt = item.name;
  title.textContent = item.name;
  facts.replaceChildren();
  if (item.score != null) fact('Score', item.score.toFixed(4));
  if (terms?.length > 1) item.terms?.forEach((term, i) => fact(`· ${terms[i]?.label ?? 'term'}`, `${term.share >= 0 ? '+' : ''}${term.share.toFixed(3)} (cosine ${term.cosine.toFixed(3)})`));
  if (item.stands_for > 1) fact('Stands for', `${item.stands_for} near-identical pictures`);
  fact('Size', `${item.width} × ${item.height}, ${bytes(item.bytes)} ${item.format}`);
  fact('Changed', new Date(item.modified).toLocaleString());
  fact('Path', item.path);
  actions.replaceChildren(
    make('button', {class: 'primary', onclick: () => events.like(item)}, 'More like this'),
    make('button', {onclick: () => events.add(item)}, 'Add to the query'),
    by ? make('button', {onclick: () => why(item, by, model)}, 'Why?') : null,
    make('button', {onclick: () => seen(item, model)}, 'What the encoder saw'),
    make('button', {onclick: () => copyPicture(events.say)}, 'Copy picture'),
    item.path ? make('button', {onclick: () => copyText(item.path, events.say)}, 'Copy path') : null,
    make('a', {class: 'button', href: `${item.file}?download=1`}, 'Download'));
  dialog.querySelector('.previous').disabled = first;
  dialog.querySelector('.next').disabled = last;
  if (!dialog.open) dialog.showModal();
}

export function hide() {
  if (dialog.open) dialog.close();
}

dialog.querySelector('.close').onclick = hide;
dialog.querySelector('.previous').onclick = () => events.step(-1);
dialog.querySelector('.next').onclick = () => events.step(1);
dialog.addEventListener('click', event => { if (event.target === dialog) hide(); });
dialog.addEventListener('keydown', event => {
  if (event.key === 'ArrowLeft') events.step(-1);
  if (event.key === 'ArrowRight') events.step(1);
});
dialog.addEventListener('close', () => {
  release();
  shown = null;
  image.onerror = null;
  image.removeAttribute('src');
  events?.closed();
});
