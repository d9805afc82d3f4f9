// What the server is asked. Errors carry the server's own sentence.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', 'The server cannot be reached.');
  }
  if (answer.status === 401) {
    location.assign('/login');
    throw new ApiError(401, 'unauthorized', 'The token is asked for.');
  }
  if (answer.ok) return answer;
  let told = {};
  try {
    told = (await answer.json()).error ?? {};
  } catch { /* not JSON: a proxy's own page */ }
  throw new ApiError(answer.status, told.code ?? 'error', told.message ?? `The server answered ${answer.status}.`);
}

const json = body => ({method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});

export const search = async (request, signal) => (await ask('/api/search', {...json(request), signal})).json();
export const status = async () => (await ask('/api/status')).json();
export const picture = async id => (await ask(`/api/pictures/${id}`)).json();
export const explain = async (id, by) => (await ask(`/api/pictures/${id}/explain?${new URLSearchParams(by)}`)).json();

export async function upload(file) {
  // What cannot be read, as a folder that was dropped, fails as a server that is away would.
  if (!await file.slice(0, 1).arrayBuffer().catch(() => null)) throw new ApiError(0, 'unreadable', 'It cannot be read: it is a folder, or not there any more.');
  return (await ask('/api/uploads', {method: 'POST', headers: {'Content-Type': file.type || 'application/octet-stream'}, body: file})).json();
}

export const index = async (wanted = {}) => (await ask('/api/index', json(wanted))).json();

// What the encoder got: {url, share}. The address is to be revoked.
export async function seen(id, model) {
  const answer = await ask(`/api/pictures/${id}/seen${model ? `?model=${encodeURIComponent(model)}` : ''}`);
  return {url: URL.createObjectURL(await answer.blob()), share: Number(answer.headers.get('X-Seen-Share'))};
}
