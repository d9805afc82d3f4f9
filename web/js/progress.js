// The bar under the head while an index run is under way. One stream of events a page, and none of a page that nobody sees: a browser has six
// connections for all its pages of a server.

const again = 5000; // milliseconds

export function watch({done, say}) {
  const bar = document.getElementById('progress'), track = bar.querySelector('.track'), fill = bar.querySelector('.fill'), text = bar.querySelector('span');
  let later, events = null, last = null, fresh = false, failed = {};

  function progress(state) {
    const {running, doing, done: finished, total, counting} = state, reading = doing === 'reading';
    // What ended while nobody listened is not told again.
    const missed = fresh && last && (state.run !== last.run || (last.running && !running));
    fresh = false;
    last = state;
    bar.hidden = !running;
    fill.style.width = total ? `${100 * finished / total}%` : '0';
    if (total) track.setAttribute('aria-valuenow', Math.round(100 * finished / total));
    else track.removeAttribute('aria-valuenow');
    track.setAttribute('aria-label', reading ? 'Reading' : 'Indexing');
    text.textContent = total ? `${reading ? 'Reading' : 'Indexing'}: ${finished.toLocaleString('en')} of ${total.toLocaleString('en')}${counting ? ' or more' : ''}` : reading ? 'Looking for pictures to read…' : 'Looking for pictures…';
    if (missed) done();
  }

  function ended(report) {
    const reading = report.doing === 'reading';
    bar.hidden = true;
    if (last) last.running = false;
    if (report.ok === false) {
      const reason = report.reason || 'the server does not say why';
      if (!report.watched || reason !== failed[report.doing]) say(`${reading ? 'Reading' : 'Indexing'} failed: ${reason}`, true); // a watched folder is tried again every minute
      failed[report.doing] = reason;
      return done();
    }
    failed[report.doing] = '';
    if (reading) {
      if (report.watched && !report.read) return; // a look that found nothing to read is nobody's business
      say(report.read ? `Read ${report.read.toLocaleString('en')} pictures, ${report.with_text.toLocaleString('en')} with text in them.` : 'Every picture was read before.');
      return done();
    }
    const parts = ['indexed', 'moved', 'removed', 'failed'].filter(name => report[name]).map(name => `${report[name].toLocaleString('en')} ${name}`);
    // A look at watched folders that found nothing is nobody's business.
    if (report.watched && !report.indexed && !report.moved && !report.removed) return;
    say(parts.length ? `Done: ${parts.join(', ')}.` : 'Nothing is new.');
    done();
  }

  function listen() {
    if (events || document.hidden) return;
    events = new EventSource('/api/index/events');
    events.addEventListener('open', () => { fresh = true; });
    // A connection that is lost the browser makes again, but it gives up for good at an answer, as a server that is ending or a proxy before one that is away gives.
    events.addEventListener('error', () => {
      if (events?.readyState !== 2) return; // closed
      leave();
      clearTimeout(later);
      later = setTimeout(listen, again);
    });
    events.addEventListener('progress', event => progress(JSON.parse(event.data)));
    events.addEventListener('done', event => ended(JSON.parse(event.data)));
  }

  function leave() {
    events?.close();
    events = null;
  }

  document.addEventListener('visibilitychange', () => document.hidden ? leave() : listen());
  addEventListener('pagehide', leave);
  addEventListener('pageshow', listen);
  listen();
}
