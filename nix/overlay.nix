final: _: { stamplab = final.callPackage ./package.nix { }; }
