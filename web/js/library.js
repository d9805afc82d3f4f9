// "Why can't I find it?": which folders are in, how many pictures, which failed and why, and which models there are.
import * as api from './api.js';
import {apart, bytes, count, make, modelName} from './make.js';

function failures(status) {
  if (!status.failures_total) return make('p', {}, status.pictures ? 'Every picture could be opened.' : 'No picture was looked at yet.');
  const list = make('ul', {class: 'failures', tabindex: '0', 'aria-label': 'Pictures that could not be opened'}), none = make('p', {class: 'fine', role: 'status'});
  const fill = text => {
    const found = status.failures.filter(one => `${one.path ?? one.name} ${one.reason}`.toLowerCase().includes(text.toLowerCase()));
    list.replaceChildren(...found.map(one => make('li', {}, make('b', {dir: 'ltr'}, one.path ?? one.name), ' ', one.reason)));
    none.textContent = found.length ? '' : 'None of those that could not be opened is like that.';
  };
  fill('');
  return make('div', {}, make('p', {}, `${count(status.failures_total)} could not:`),
    make('label', {}, 'Look for ', make('input', {type: 'search', id: 'failed', placeholder: 'name or reason', oninput: event => fill(event.target.value)})),
    list, none, status.failures_total > status.failures.length ? make('p', {class: 'fine'}, 'and ', count(status.failures_total - status.failures.length), ' more: ', make('code', {}, 'memelens status --failed')) : null);
}

async function begin(say, wanted) {
  say('Looking…'); // before it is asked: what comes of it may be told sooner than the answer
  try {
    await api.index(wanted);
  } catch (error) {
    say(error.message, true);
  }
}

const command = text => make('code', {}, text);

// Which words there are to be found, and how there come to be more.
function words(status, say) {
  const {captions, read, contents, with_text: lettered, sentences} = status;
  const by = {look: 'by how they look', text: 'by what is written in them or said about them', meaning: 'by what that means'};
  const line = (...parts) => make('li', {}, ...parts);
  return make('div', {}, status.by.length ? make('p', {}, `Words find pictures ${status.by.map(way => by[way]).join(', ').replace(/, (?!.*, )/, ', and ')}.`) : make('p', {}, 'Not yet: here pictures find pictures.'),
    make('ul', {},
      captions ? line(`${count(captions)} captions came in, from files beside the pictures, inside them or about many of them.`) : line('No captions came in: ', command('memelens index --captions FILE'), ' takes a table of them.'),
      line(read ? `${count(read)} of ${count(contents)} pictures were searched for text, and ${count(lettered)} have some.` : 'What is written in the pictures was not read yet.',
        read < contents ? [' To have that done: the button below, or ', command('memelens ocr'), '; ', command('memelens serve --watch --ocr'), ' reads what comes by itself.'] : null),
      captions || lettered ? sentences ? line(`${count(sentences)} pictures can be found by what their text means.`) : line('What texts mean wants a model of sentences: ', command('memelens pull all-minilm-l6-v2'), ', then ', command('memelens index'), '.') : null,
      status.by.includes('look') ? null : line('What the pictures look like wants a model that knows words: ', command('memelens pull all-minilm-l6-v2'), ' for the default one.')),
    read < contents && status.pictures ? make('div', {class: 'row'}, make('button', {id: 'read', onclick: () => begin(say, {ocr: true})}, 'Read what is written in the pictures')) : null);
}

function bring(status, say) {
  const field = make('input', {type: 'text', id: 'folder', placeholder: '/home/you/Pictures', 'aria-label': 'Folder'});
  return make('div', {class: 'row'}, status.folders.length ? make('button', {class: 'primary', id: 'again', onclick: () => begin(say)}, 'Look again for what is new') : null,
    status.may_add ? make('form', {class: 'row', onsubmit: event => { event.preventDefault(); if (field.value) begin(say, {path: field.value}); else field.focus(); }}, field, make('button', {}, 'Add this folder')) : null);
}

// What is being typed in ROOT, and where the focus is, outlast FILL.
async function keeping(root, fill) {
  const typed = [...root.querySelectorAll('input')].map(({id, value}) => ({id, value}));
  const at = root.contains(document.activeElement) ? document.activeElement.id : '';
  await fill();
  for (const {id, value} of typed) {
    const field = value && root.querySelector(`#${id}`);
    if (!field) continue;
    field.value = value;
    field.dispatchEvent(new Event('input'));
  }
  if (at) root.querySelector(`#${at}`)?.focus();
}

let asked = 0; // how often: of two answers the later one counts, whichever comes first

export async function library(root, say) {
  const turn = ++asked;
  if (!root.querySelector('.library')) root.replaceChildren(make('p', {class: 'state', role: 'status'}, 'Asking…'));
  const asking = root.firstChild;
  let status;
  try {
    status = await api.status();
  } catch (error) {
    if (turn === asked && root.firstChild === asking) root.replaceChildren(make('p', {class: 'state', role: 'alert'}, error.message));
    return;
  }
  if (turn !== asked || root.firstChild !== asking) return; // something else is shown by now, or will be
  keeping(root, () => root.replaceChildren(make('article', {class: 'library'},
    make('h1', {}, 'Why can’t I find it?'),
    make('p', {}, `${count(status.pictures)} pictures are in, ${bytes(status.bytes)} of library. `, status.watching ? 'The folders are watched: what is new comes in by itself.' : 'What is new comes in when someone looks again.'),
    make('h2', {}, 'Is its folder in?'),
    status.folders.length ? make('ul', {}, ...status.folders.map(folder => make('li', {}, make('span', {dir: 'ltr'}, folder.path ?? folder.name),
      folder.present ? null : make('em', {}, ' is not there now (an unmounted disk?); what was found in it is kept')))) : make('p', {}, 'No folder is in yet: run ', make('code', {}, 'memelens index ~/Pictures'), '.'),
    status.forgotten.length ? make('p', {}, `Left out on request: ${status.forgotten.map(apart).join(', ')}`) : null,
    bring(status, say),
    make('h2', {}, 'Could it be opened?'), failures(status),
    make('h2', {}, 'Can the model answer?'),
    status.models.length ? make('table', {}, make('thead', {}, make('tr', {}, ...['Model', 'Different pictures', 'Words'].map(name => make('th', {scope: 'col'}, name)))),
      make('tbody', {}, ...status.models.map(model => make('tr', {}, make('td', {title: model.name}, modelName(model.name), model.present ? null : make('em', {}, ' is not here now; what is new waits for it')), make('td', {}, `${count(model.vectors)} of ${count(status.contents)}`), make('td', {}, model.words ? 'yes' : 'no'))))) : null,
    make('h2', {}, 'Can words find it?'), words(status, say),
    make('h2', {}, 'Is it another picture than you think?'),
    make('ul', {}, make('li', {}, 'Search by a picture that looks like it; “What the encoder saw” in the large view shows what was cut away.'),
      make('li', {}, 'Folding shows one of each group of near-identical pictures: turn it off to see them all.'),
      make('li', {}, 'Filters (path, folder, type, size, dates, score) stay in the address until they are cleared.')),
    make('p', {class: 'fine'}, `memelens ${status.version}`))));
}
