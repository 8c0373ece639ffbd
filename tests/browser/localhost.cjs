// Loaded before a program for Node: names below `localhost` are this machine's own, as they are to browsers and to curl.
const dns = require('node:dns');

const { lookup } = dns;
dns.lookup = (name, options, done = options) =>
  lookup(/\.localhost\.?$/.test(name) ? '127.0.0.1' : name, typeof options === 'function' ? {} : options, done);
