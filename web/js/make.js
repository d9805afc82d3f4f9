// Building elements. Text is always text: a file's name is whatever its sender wished.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child != null));
  return element;
}

// What the server says: the commands in it stand in `backticks`.
export const sentence = text => make('p', {}, ...text.split('`').map((part, i) => i % 2 ? make('code', {}, part) : part));

export const bytes = n => n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(0)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
export const count = n => n.toLocaleString('en');
// A name within a sentence: whichever way it is written, or turns what follows, the sentence reads on as it did.
export const apart = name => `\u2068${name}\u2069`;
// A model of one's own is named by its folder.
export const modelName = name => name.split('/').pop();
