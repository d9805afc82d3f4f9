// "Why can't I find it?": which folders are in, how many pictures, which failed and why, and which models there are.
import * as api from './api.js';
import {bytes, count, make} from './make.js';

function failures(status) {
  if (!status.failures_total) return make('p', {}, 'Every picture could be read.');
  const list = make('ul', {class: 'failures'});
  const fill = text => list.replaceChildren(...status.failures.filter(one => `${one.path ?? one.name} ${one.reason}`.toLowerCase().includes(text.toLowerCase()))
    .map(one => make('li', {}, make('b', {}, one.path ?? one.name), ' ', one.reason)));
  fill('');
  return make('div', {}, make('label', {}, 'Look for ', make('input', {type: 'search', placeholder: 'name or reason', oninput: event => fill(event.target.value)})),
    list, status.failures_total > status.failures.length ? make('p', {class: 'fine'}, `and ${count(status.failures_total - status.failures.length)} more: memelens status --failed`) : null);
}

function bring(status, say) {
  const begin = async path => {
    say('Looking…'); // before it is asked: what comes of it may be told sooner than the answer
    try {
      await api.index(path);
    } catch (error) {
      say(error.message);
    }
  };
  const field = make('input', {type: 'text', placeholder: '/home/you/Pictures', 'aria-label': 'Folder'});
  return make('div', {class: 'row'}, make('button', {class: 'primary', onclick: () => begin()}, 'Look again for what is new'),
    status.may_add ? make('form', {class: 'row', onsubmit: event => { event.preventDefault(); begin(field.value); }}, field, make('button', {}, 'Add this folder')) : null);
}

export async function library(root, say) {
  root.replaceChildren(make('p', {class: 'state'}, 'Asking…'));
  let status;
  try {
    status = await api.status();
  } catch (error) {
    root.replaceChildren(make('p', {class: 'state', role: 'alert'}, error.message));
    return;
  }
  const words = status.models.some(model => model.words);
  root.replaceChildren(make('article', {class: 'library'},
    make('h1', {}, 'Why can’t I find it?'),
    make('p', {}, `${count(status.pictures)} pictures are in, ${bytes(status.bytes)} of library. `, status.watching ? 'The folders are watched: what is new comes in by itself.' : 'What is new comes in when someone looks again.'),
    make('h2', {}, 'Is its folder in?'),
    status.folders.length ? make('ul', {}, ...status.folders.map(folder => make('li', {}, folder.path ?? folder.name,
      folder.present ? null : make('em', {}, ' is not there now (an unmounted disk?); what was found in it is kept')))) : make('p', {}, 'No folder is in yet: run ', make('code', {}, 'memelens index ~/Pictures'), '.'),
    status.forgotten.length ? make('p', {}, `Left out on request: ${status.forgotten.join(', ')}`) : null,
    bring(status, say),
    make('h2', {}, 'Could it be read?'), failures(status),
    make('h2', {}, 'Can the model answer?'),
    make('table', {}, make('thead', {}, make('tr', {}, ...['Model', 'Pictures', 'Words'].map(name => make('th', {scope: 'col'}, name)))),
      make('tbody', {}, ...status.models.map(model => make('tr', {}, make('td', {}, model.name), make('td', {}, count(model.vectors)), make('td', {}, model.words ? 'yes' : 'no'))))),
    words ? null : make('p', {}, 'Words need a model that knows them: ', make('code', {}, 'memelens pull clip-vit-b-32'), ', then ', make('code', {}, 'memelens index --model clip-vit-b-32'), '.'),
    make('h2', {}, 'Is it another picture than you think?'),
    make('ul', {}, make('li', {}, 'Search by a picture that looks like it; “What the encoder saw” in the large view shows what was cut away.'),
      make('li', {}, 'Folding shows one of each group of near-identical pictures: turn it off to see them all.'),
      make('li', {}, 'Filters (path, dates, score) stay in the address until they are cleared.')),
    make('p', {class: 'fine'}, `memelens ${status.version}`)));
}
