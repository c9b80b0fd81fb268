{
  'variables': {
    # node-gyp configure -- -Dsanitize=address,undefined
    'sanitize%': '',
  },
  'target_defaults': {
    'cflags': ['-Wall', '-Wextra', '-Wconversion', '-fvisibility=hidden', '-g1'],
    'cflags!': ['-Wno-unused-parameter'],
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++20', '-fno-exceptions', '-fno-rtti'],
    'conditions': [
      ["sanitize!=''", {
        'cflags': ['-fsanitize=<(sanitize)', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'],
        'ldflags': ['-fsanitize=<(sanitize)'],
      }],
    ],
  },
  'targets': [
    {
      # The media engine without Node: no <napi.h>, so that it links into plain programs.
      'target_name': 'parley_core',
      'type': 'static_library',
      'include_dirs': ['native/core'],
      'cflags': ['-fPIC'],
      'sources': [
        'native/core/audio/memory.cc',
        'native/core/clean/cleaner.cc',
        'native/core/clean/speexdsp.cc',
        'native/core/codec/codec.cc',
        'native/core/codec/g711.cc',
        'native/core/codec/g722.cc',
        'native/core/dsp/concealer.cc',
        'native/core/dsp/filter_bank.cc',
        'native/core/dsp/prosody.cc',
        'native/core/dsp/upsampler.cc',
        'native/core/dtmf/dtmf.cc',
        'native/core/gate/talk_gate.cc',
        'native/core/gate/voice_hint.cc',
        'native/core/ingest/ingest.cc',
        'native/core/io/engine.cc',
        'native/core/io/media_thread.cc',
        'native/core/io/udp.cc',
        'native/core/playout/playout.cc',
        'native/core/rtp/packet.cc',
        'native/core/rtp/rtcp.cc',
        'native/core/session/session.cc',
      ],
    },
    {
      'target_name': 'parley_media',
      'dependencies': ['parley_core'],
      'defines': ['NAPI_VERSION=9', 'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'include_dirs': ['native/core'],
      'cflags': ['-isystem', '<!(node -p "require(\'path\').resolve(require(\'node-addon-api\').include_dir)")'],
      'sources': ['native/binding/addon.cc'],
    },
    {
      # The unit tests: a plain program that prints TAP.
      'target_name': 'parley_core_test',
      'type': 'executable',
      'dependencies': ['parley_core'],
      'include_dirs': ['native/core', 'native/test'],
      'libraries': ['-lpthread', '-ldl'],
      'sources': [
        'native/test/clean_test.cc',
        'native/test/codec_test.cc',
        'native/test/dsp_test.cc',
        'native/test/engine_test.cc',
        'native/test/ingest_test.cc',
        'native/test/main.cc',
        'native/test/gate_test.cc',
        'native/test/playout_test.cc',
        'native/test/prosody_test.cc',
        'native/test/rtp_test.cc',
        'native/test/trace_test.cc',
      ],
    },
    {
      # The digital test sequences of ITU-T G.722; takes their folder (native/README.md).
      'target_name': 'parley_g722_vectors',
      'type': 'executable',
      'dependencies': ['parley_core'],
      'include_dirs': ['native/core'],
      'sources': ['native/test/g722_vectors.cc'],
    },
    {
      # Micro-benches (bench/codec.ts, resample.ts, ingest.ts): a plain program that prints JSON lines.
      'target_name': 'parley_core_bench',
      'type': 'executable',
      'dependencies': ['parley_core'],
      'include_dirs': ['native/core', 'native/test'],
      'libraries': ['-lpthread', '-ldl'],
      'sources': ['native/bench/core_bench.cc'],
    },
    {
      # The far end of many calls, for bench/media.ts and bridge.ts.
      'target_name': 'parley_media_load',
      'type': 'executable',
      'dependencies': ['parley_core'],
      'include_dirs': ['native/core'],
      'libraries': ['-lpthread', '-ldl'],
      'sources': ['native/bench/load.cc'],
    },
  ],
}
