// The words of a query in a text that was found by them.
import {make} from './make.js';

const unblanked = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const fold = word => word.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
const words = () => /[\p{L}\p{N}\p{M}]+/gu;

// What TERMS look for, as [{word, begins}]: what is to be left out is not looked for.
export function wanted(terms) {
  const found = [];
  for (const term of terms)
    if (term.kind === 'text' && term.weight > 0)
      for (const part of term.value.replace(/(^|\s)-"[^"]*"?/g, ' ').split(/\s+/))
        if (!part.startsWith('-'))
          for (const [word] of part.matchAll(words())) found.push({word: fold(word), begins: part.endsWith('*')});
  return found;
}

// Whether A becomes B by one letter more, less or other, or by two that change places.
function alike(a, b) {
  if (a.length > b.length) return alike(b, a);
  if (a === b) return true;
  if (a.length < 4 || b.length - a.length > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return a.slice(i) === b.slice(i + 1) || (a.length === b.length && (a.slice(i + 1) === b.slice(i + 1)
    || (a[i] === b[i + 1] && a[i + 1] === b[i] && a.slice(i + 2) === b.slice(i + 2))));
}

// Where in TEXT they stand, as [from, to].
function places(text, sought) {
  const found = [];
  for (const match of text.matchAll(words())) {
    const word = fold(match[0]), from = match.index;
    if (sought.some(({word: other, begins}) => begins ? word.startsWith(other) : alike(word, other))) found.push([from, from + match[0].length]);
    else if (unblanked.test(match[0])) // no blanks stand between its words
      for (const {word: other} of sought) {
        const at = match[0].indexOf(other);
        if (at >= 0) found.push([from + at, from + at + other.length]);
      }
  }
  return found.sort((a, b) => a[0] - b[0]);
}

// TEXT as parts of an element, with the words that were SOUGHT marked. ROOM: as many letters before the first of them as may stay.
export function marked(text, sought, room = Infinity) {
  const parts = [];
  let at = 0;
  for (const [from, to] of places(text, sought)) {
    if (from < at) continue;
    if (!parts.length && from > room) at = Math.max(text.lastIndexOf(' ', from - room / 2) + 1, 0) || from;
    parts.push((!parts.length && at ? '…' : '') + text.slice(at, from), make('mark', {}, text.slice(from, to)));
    at = to;
  }
  return [...parts, text.slice(at)];
}
