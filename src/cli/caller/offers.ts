/** What the caller answers when the other side changes the media in mid-call: hold, resume, another address. */
import type { RtpLeg } from './rtp.ts';
import { readSdp, writeSdp, type LocalMedia } from './sdp.ts';
import type { Dialog } from './sip-dialog.ts';

/** From now on the leg follows the offers of the dialog. An offer that we cannot take is refused and nothing changes. */
export function followOffers(dialog: Dialog, leg: RtpLeg, first: LocalMedia): void {
  let version = first.version;
  dialog.onOffer((offer) => {
    version++;
    if (offer === null) return writeSdp({ ...first, version });
    try {
      const remote = readSdp(offer, first.laws);
      leg.connect(remote);
      const direction = remote.sends ? (remote.listens ? 'sendrecv' : 'recvonly') : remote.listens ? 'sendonly' : 'inactive';
      return writeSdp({ ...first, laws: [remote.law], keysType: remote.keysType ?? first.keysType, version, direction });
    } catch {
      return null;
    }
  });
}
